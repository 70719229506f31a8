// A21: toString() that converts itself.
// expect: throws RangeError
export default () => String({ toString() { return String(this); } });
