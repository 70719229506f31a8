//! The system calls that a worker process has no use for: starting programs, looking into other
//! processes, opening sockets, changing the system. They fail with `EPERM`.
//!
//! A list of what is forbidden and not of what is allowed: a call that is missing in such a list
//! costs a layer, one that is missing in the other costs the service. The numbers of the x32 ABI
//! are forbidden with them.

use std::collections::BTreeMap;
use std::net::TcpListener;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter_all_threads,
};

/// Forbids them for all threads of the process, for ever; sockets to elsewhere only where nothing
/// needs them.
///
/// # Errors
/// What the system says; nothing is forbidden then.
pub fn filter(needs_sockets: bool) -> Result<(), String> {
    // The flags of clone3() lie behind a pointer, which no filter can read; without it, clone() is
    // used.
    let unknown = u32::try_from(libc::ENOSYS).unwrap_or_default();
    let forbidden = u32::try_from(libc::EPERM).unwrap_or_default();
    apply(rules(&[libc::SYS_clone3]), SeccompAction::Errno(unknown))?;
    let is_needed = |call: &&libc::c_long| needs_sockets && NEEDED_OUTWARD.contains(call);
    let calls: Vec<_> = FORBIDDEN.iter().filter(|call| !is_needed(call)).copied().collect();
    let mut rules = rules(&calls);
    rules.insert(libc::SYS_clone, vec![no_thread()?]);
    apply(rules, SeccompAction::Errno(forbidden))
}

/// True if the filter holds.
pub fn is_filtered() -> bool {
    TcpListener::bind(("127.0.0.1", 0)).is_err()
}

fn rules(calls: &[libc::c_long]) -> BTreeMap<i64, Vec<SeccompRule>> {
    let numbers = calls.iter().flat_map(|call| [*call, *call | X32]);
    numbers.map(|number| (number, Vec::new())).collect()
}

/// A clone() that makes a process.
fn no_thread() -> Result<SeccompRule, String> {
    let flag = u64::try_from(libc::CLONE_THREAD).unwrap_or_default();
    let is_process =
        SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), 0);
    let is_process = is_process.map_err(|error| error.to_string())?;
    SeccompRule::new(vec![is_process]).map_err(|error| error.to_string())
}

fn apply(rules: BTreeMap<i64, Vec<SeccompRule>>, action: SeccompAction) -> Result<(), String> {
    let arch = std::env::consts::ARCH.try_into().map_err(|_| "no such architecture".to_owned())?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch);
    let program: BpfProgram = filter
        .and_then(TryInto::try_into)
        .map_err(|error: seccompiler::BackendError| error.to_string())?;
    apply_filter_all_threads(&program).map_err(|error| error.to_string())
}

/// Added to the numbers of calls in the x32 ABI.
#[cfg(target_arch = "x86_64")]
const X32: libc::c_long = 0x4000_0000;
#[cfg(not(target_arch = "x86_64"))]
const X32: libc::c_long = 0;

/// What it takes to connect to a bucket.
const NEEDED_OUTWARD: [libc::c_long; 2] = [libc::SYS_socket, libc::SYS_connect];

const FORBIDDEN: &[libc::c_long] = &[
    // Programs and processes.
    libc::SYS_execve,
    libc::SYS_execveat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_personality,
    // Sockets; those that listen are inherited.
    libc::SYS_socket,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_listen,
    // Ways into the kernel.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    // The system itself.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
];
