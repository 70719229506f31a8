// F06: headers that decide where a request goes or how it is framed.
// expect: answers refused
export default async () => {
  for (const name of ["a b", "a:b", "a\r\nb", "", "\u00e9", "a\0"]) {
    try {
      new Request("http://a.example/", { headers: { [name]: "x" } });
      return name;
    } catch {}
  }
  return "refused";
};
