// F02: networks that are private, shared or reserved.
// expect: answers refused
export default async () => {
  for (const host of ["10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "[fe80::1]",
    "[fc00::1]", "[ff02::1]", "[2001:db8::1]", "[100::1]", "[::10.0.0.1]"]) {
    try {
      await fetch(`http://${host}/`, { signal: AbortSignal.timeout(1000) });
      return host;
    } catch (error) {
      if (error.name === "TimeoutError") return `tried ${host}`;
    }
  }
  return "refused";
};
