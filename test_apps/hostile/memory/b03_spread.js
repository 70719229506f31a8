// B03: a long text becomes an array of characters.
// expect: 503 memory_limit | throws RangeError | process
// slow
export default () => [..."." .repeat(5e8)].length;
