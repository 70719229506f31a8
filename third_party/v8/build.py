#!/usr/bin/env python3
"""Builds librusty_v8.a for x86_64 Linux from the source inside the `v8` crate, with Debian's compiler.

For machines that cannot reach the official prebuilt download. Needs: Debian 12 or later, apt-get, about 6 GB of disk,
8 GB of memory; one to two hours on two cores. Usage:

    build.py CRATE_DIR ICUDTL_DAT WORK_DIR

CRATE_DIR is the unpacked `v8` crate (cargo's registry source), ICUDTL_DAT the data file inside the crate
`deno_core_icudata` whose version equals the ICU major version of that V8 (77 for v8 150.4.0), WORK_DIR is scratch.
Prints the path of the archive. Differences from the official archive: no Temporal (it needs Chromium's Rust toolchain),
no symbols, unity build (same sources, same optimisation for everything that runs after the build).
"""
import os, pathlib, re, shutil, subprocess, sys

LLVM = "22"
PACKAGES = [f"clang-{LLVM}", f"lld-{LLVM}", f"libclang-rt-{LLVM}-dev", "ninja-build", "python3", "dpkg-dev"]
ARGS = f"""
is_debug=false use_custom_libcxx=true v8_enable_sandbox=false v8_enable_pointer_compression=false v8_enable_v8_checks=false
rusty_v8_enable_simdutf=true clang_base_path="/usr/lib/llvm-{LLVM}" clang_version="{LLVM}" treat_warnings_as_errors=false
v8_monolithic_for_shared_library=true enable_rust=false enable_rust_cxx=false v8_enable_temporal_support=false symbol_level=0
use_glib=false v8_enable_cluster_build=true
"""
CLUSTER = '''#!/usr/bin/env python3
import argparse, os
p = argparse.ArgumentParser()
p.add_argument("--compute-filenames", action="store_true"); p.add_argument("--generate", action="store_true")
p.add_argument("--output-dir"); p.add_argument("--prefix", required=True)
p.add_argument("--cluster-size", type=int, required=True); p.add_argument("--small-cluster-size", type=int, default=5)
p.add_argument("--small-cluster-dirs", action="append", default=[])
p.add_argument("--strip-prefix", default=""); p.add_argument("--include-prefix", default=""); p.add_argument("files", nargs="*")
a = p.parse_args()
groups = {}
for f in a.files:
    # turboshaft assemblers open namespaces that clash with the others: one file each
    groups.setdefault(f if f.endswith("-tsa.cc") else os.path.dirname(f), []).append(f)
clusters = []
for d, fs in groups.items():
    n = a.small_cluster_size if any(s in d for s in a.small_cluster_dirs) else a.cluster_size
    tag = d.replace("../", "").strip("/").replace("/", "_").replace(".", "_") or "root"
    clusters += [(f"{a.prefix}-{tag}-{i // n}.cc", fs[i:i + n]) for i in range(0, len(fs), n)]
if a.compute_filenames:
    print("\\n".join(c for c, _ in clusters))
else:
    os.makedirs(a.output_dir, exist_ok=True)
    for name, fs in clusters:
        with open(os.path.join(a.output_dir, name), "w") as o:
            for f in fs:
                f = f[len(a.strip_prefix):] if a.strip_prefix and f.startswith(a.strip_prefix) else f
                o.write(f'#include "{a.include_prefix}{f}"\\n')
'''


def run(*cmd, **kw):
    subprocess.run(cmd, check=True, **kw)


def edit(path, *changes):
    text = path.read_text()
    for pattern, replacement in changes:
        text, n = re.subn(pattern, replacement, text)
        if n == 0:
            sys.exit(f"{path}: nothing matches {pattern!r}")
    path.write_text(text)


def debian_mirror():
    """The archive this machine installs from already."""
    uris = subprocess.check_output(["apt-get", "indextargets", "--format", "$(REPO_URI)"], text=True).split()
    return next((uri for uri in uris if uri.rstrip("/").endswith("/debian")), None) or sys.exit("no Debian archive in apt's sources")


def gn(work):
    """Debian 12's gn is too old for this V8; Debian 13's source builds anywhere."""
    src = work / "gn"
    if not (src / "out" / "gn").exists():
        src.mkdir(exist_ok=True)
        pathlib.Path("/etc/apt/sources.list.d/gn-source.sources").write_text(
            f"Types: deb-src\nURIs: {debian_mirror()}\nSuites: trixie\nComponents: main\n"
            "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n")
        run("apt-get", "update", "-q")
        subprocess.run(["apt-get", "source", "--download-only", "generate-ninja/trixie"], cwd=src)
        tar = next(src.glob("*.orig.tar.*"), None) or sys.exit("gn's source could not be downloaded")
        run("tar", "xf", tar.name, "--strip-components=1", cwd=src)
        env = dict(os.environ, CXX=f"/usr/lib/llvm-{LLVM}/bin/clang++", CC=f"/usr/lib/llvm-{LLVM}/bin/clang",
                   AR=f"/usr/lib/llvm-{LLVM}/bin/llvm-ar")
        run("python3", "build/gen.py", "--no-last-commit-position", "--no-static-libstdc++", cwd=src, env=env)
        (src / "out" / "last_commit_position.h").write_text(
            '#define LAST_COMMIT_POSITION_NUM 2230\n#define LAST_COMMIT_POSITION "2230"\n')
        edit(src / "out" / "build.ninja", (r"-Werror", ""), (r"-Wall", "-w"))
        run("ninja", "-C", "out", "gn", cwd=src)
    return src / "out" / "gn"


def prepare(src, icu):
    """What that gn and that clang do not know is taken out; none of it changes generated code."""
    edit(src / "build/toolchain/gcc_toolchain.gni",
         (r'module_name_flag = " -fmodule-name.*', 'module_name_flag = ""'),
         (r"\{\{module_deps_no_self\}\}", ""),
         (r'-fmodule-name=\\"\{\{cc_module_name\}\}\\"', ""),
         (r'inputs =\s*\[ get_path_info\(rebase_path\(ar, "\.", root_out_dir\), "abspath"\) \]', ""),
         (r"inputs = rustc_wrapper_inputs", ""))
    edit(src / "build/config/compiler/BUILD.gn",
         (r'c_additional_outputs =\s*\[ "[^"]*\.dwo" \]', ""),
         (r'cflags \+= \[ "-fdiagnostics-show-inlining-chain" \]', "cflags += []"),
         (r'cflags \+= \[ "-fno-lifetime-dse" \]', "cflags += []"))
    edit(src / "build/config/sanitizers/sanitizers.gni",
         (r'"-fsanitize-ignore-for-ubsan-feature=\$\{invoker\.sanitizer\}",', ""))
    build = src / "v8/BUILD.gn"
    text = build.read_text()
    for target in ("torque_generated_initializers", "v8_initializers"):  # only run inside mksnapshot
        i = text.index(f'v8_cluster_source_set("{target}")')
        old = 'configs = [ ":internal_config" ]'
        j = text.index(old, i)
        text = (text[:j] + 'configs = [ ":internal_config", "//build/config/compiler:no_optimize" ]\n'
                '  remove_configs = [ "//build/config/compiler:optimize_speed" ]' + text[j + len(old):])
    build.write_text(text)
    (src / "v8/tools/cluster_files.py").write_text(CLUSTER)
    (src / "third_party/icu/common").mkdir(parents=True, exist_ok=True)
    shutil.copy(icu, src / "third_party/icu/common/icudtl.dat")
    rt = pathlib.Path(f"/usr/lib/llvm-{LLVM}/lib/clang/{LLVM}/lib/x86_64-unknown-linux-gnu")
    rt.mkdir(exist_ok=True)
    if not (rt / "libclang_rt.builtins.a").exists():
        (rt / "libclang_rt.builtins.a").symlink_to("../linux/libclang_rt.builtins-x86_64.a")


def main():
    crate, icu, work = map(pathlib.Path, sys.argv[1:4])
    work.mkdir(parents=True, exist_ok=True)
    run("apt-get", "install", "-y", "-q", *PACKAGES)
    src, out = (work / "v8").resolve(), (work / "out").resolve()
    if not src.exists():
        shutil.copytree(crate, src)
        prepare(src, icu)
    run(str(gn(work).resolve()), f"--root={src}", "--script-executable=python3", "gen", str(out), "--args=" + " ".join(ARGS.split()), cwd=src)
    run("ninja", "-C", str(out), "rusty_v8")
    print(out / "obj" / "librusty_v8.a")


main()
