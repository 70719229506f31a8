// H15: errors of SQL name no file of the machine.
// expect: answers none
export default ({ ctx }) => {
  const texts = [];
  for (const statement of ["SELECT * FROM missing", "nonsense", "INSERT INTO x VALUES (1)"]) {
    try {
      ctx.storage.sql.exec(statement);
    } catch (error) {
      texts.push(error.message);
    }
  }
  return texts.some((text) => /[/\\]|sqlite\.|\.rs/.test(text)) ? texts.join() : "none";
};
