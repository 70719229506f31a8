// C01: a timer with code as text.
// expect: throws TypeError
export default () => setTimeout("globalThis.owned = 1", 0);
