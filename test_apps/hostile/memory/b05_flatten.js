// B05: a text of the greatest length becomes flat.
// expect: throws RangeError | 503 memory_limit | process | answers 120
// slow
export default () => {
  let text = "\u1234x";
  while (text.length < 2 ** 28) text += text;
  return text.charCodeAt(1);
};
