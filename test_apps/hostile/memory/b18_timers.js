// B18: more timers than may run.
// expect: throws QuotaExceededError
export default () => {
  for (let i = 0; i < 20_000; i++) setTimeout(() => {}, 1e6);
};
