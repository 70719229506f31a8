// D03: a body is read twice, locked and handed on.
// expect: answers TypeError TypeError TypeError
export default async () => {
  const names = [];
  const refuse = async (act) => {
    try {
      await act();
      names.push("done");
    } catch (error) {
      names.push(error.name);
    }
  };
  const response = new Response("a");
  await response.text();
  await refuse(() => response.text());
  await refuse(() => response.clone());
  const locked = new Response("b");
  locked.body.getReader();
  await refuse(() => locked.text());
  return names.join(" ");
};
