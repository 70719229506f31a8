// F02: what clouds tell their machines about themselves.
// expect: answers refused
export default async () => {
  for (const host of ["169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "168.63.129.16",
    "169.254.170.2", "192.0.0.192"]) {
    try {
      await fetch(`http://${host}/latest/meta-data/`, { signal: AbortSignal.timeout(1000) });
      return host;
    } catch (error) {
      if (error.name === "TimeoutError") return `tried ${host}`;
    }
  }
  return "refused";
};
