// A28: a hundred thousand rejections that nobody handles.
// expect: answers done | 503 cpu_limit
// slow
export default () => {
  for (let i = 0; i < 1e5; i++) Promise.reject(i);
  return "done";
};
