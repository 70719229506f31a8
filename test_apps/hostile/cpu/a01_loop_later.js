// A01: an endless loop after an await.
// expect: 503 cpu_limit
export default async () => {
  await scheduler.wait(1);
  for (;;);
};
