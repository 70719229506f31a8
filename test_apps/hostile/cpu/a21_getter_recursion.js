// A21: a getter that reads itself.
// expect: throws RangeError
export default () => ({ get a() { return this.a; } }).a;
