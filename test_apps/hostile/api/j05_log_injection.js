// J05: lines, escapes and JSON in what is logged.
// expect: answers done
export default () => {
  console.log("a\nERROR forged: line\r\n\x1b]0;title\x07\x1b[2J\0\u2028{\"level\":\"error\"}");
  console.error("\x1b]52;c;ZXZpbA==\x07");
  return "done";
};
