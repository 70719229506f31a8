// A02: an endless loop at the top level of a module.
// expect: deploy cpu_limit
for (;;);
export default () => "never";
