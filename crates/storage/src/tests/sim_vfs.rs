//! Simulated disks as a file system of SQLite.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::ptr;
use std::sync::Once;

use rusqlite::ffi;

use super::sim::{SimFile, VFS, disk_of};
use crate::disk::Mode;

/// What SQLite allocates for an open file.
#[repr(C)]
struct OpenFile {
    // First, as SQLite demands.
    base: ffi::sqlite3_file,
    file: *mut SimFile,
}

/// Makes the file system known to SQLite.
pub(crate) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: SQLite initialises itself; the default file system is static.
        let host = unsafe { ffi::sqlite3_vfs_find(c"unix-none".as_ptr()) };
        // SAFETY: it was found, and is copied: clock and randomness are the host's.
        let mut vfs = unsafe { *host };
        vfs.iVersion = 1;
        vfs.szOsFile = size_of::<OpenFile>() as c_int;
        vfs.pNext = ptr::null_mut();
        vfs.zName = VFS.as_ptr();
        vfs.xOpen = Some(open);
        vfs.xDelete = Some(delete);
        vfs.xAccess = Some(access);
        vfs.xFullPathname = Some(full_path);
        // SAFETY: the structure is leaked, so it lives as long as SQLite.
        unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 0) };
    });
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(lock),
    xCheckReservedLock: Some(check_lock),
    xFileControl: Some(control),
    xSectorSize: Some(sector),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

/// # Safety
/// The arguments are SQLite's.
unsafe fn path_of<'a>(name: *const c_char) -> &'a Path {
    // SAFETY: the caller's duty.
    Path::new(unsafe { CStr::from_ptr(name) }.to_str().unwrap())
}

/// # Safety
/// The arguments are SQLite's.
unsafe fn file_of<'a>(file: *mut ffi::sqlite3_file) -> &'a SimFile {
    // SAFETY: `open` made it, `close` was not called yet.
    unsafe { &*(*file.cast::<OpenFile>()).file }
}

fn code(outcome: io::Result<()>, otherwise: c_int) -> c_int {
    match outcome {
        Ok(()) => ffi::SQLITE_OK,
        Err(error) if error.kind() == ErrorKind::StorageFull => ffi::SQLITE_FULL,
        Err(_) => otherwise,
    }
}

/// # Safety
/// Called by SQLite.
unsafe extern "C" fn open(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite's arguments.
    let path = unsafe { path_of(name) };
    let creates = flags & ffi::SQLITE_OPEN_CREATE != 0;
    let mode = if creates { Mode::Create } else { Mode::ReadWrite };
    // SAFETY: SQLite allocated `szOsFile` bytes; without methods it does not close the file.
    unsafe { (*file).pMethods = ptr::null() };
    let Some(Ok(opened)) = disk_of(path).map(|disk| disk.open(path, mode)) else {
        return ffi::SQLITE_CANTOPEN;
    };
    if !out_flags.is_null() {
        // SAFETY: it is not null.
        unsafe { *out_flags = flags };
    }
    let opened = Box::into_raw(Box::new(opened));
    // SAFETY: as above.
    unsafe {
        file.cast::<OpenFile>().write(OpenFile {
            base: ffi::sqlite3_file { pMethods: &raw const METHODS },
            file: opened,
        });
    };
    ffi::SQLITE_OK
}

/// # Safety
/// Called by SQLite.
unsafe extern "C" fn delete(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _sync: c_int,
) -> c_int {
    // SAFETY: SQLite's arguments.
    let path = unsafe { path_of(name) };
    match disk_of(path).map(|disk| disk.remove(path)) {
        Some(Ok(true)) => ffi::SQLITE_OK,
        Some(Ok(false)) => ffi::SQLITE_IOERR_DELETE_NOENT,
        _ => ffi::SQLITE_IOERR_DELETE,
    }
}

/// # Safety
/// Called by SQLite.
unsafe extern "C" fn access(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite's arguments.
    let path = unsafe { path_of(name) };
    let Some(Ok(exists)) = disk_of(path).map(|disk| disk.exists(path)) else {
        return ffi::SQLITE_IOERR_ACCESS;
    };
    // SAFETY: SQLite's arguments.
    unsafe { *out = c_int::from(exists) };
    ffi::SQLITE_OK
}

/// # Safety
/// Called by SQLite.
unsafe extern "C" fn full_path(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite's arguments.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    assert!(name.len() <= length as usize);
    // SAFETY: there is room, as checked.
    unsafe { ptr::copy_nonoverlapping(name.as_ptr().cast(), out, name.len()) };
    ffi::SQLITE_OK
}

/// # Safety
/// Called by SQLite.
unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: `open` made the box, and SQLite closes once.
    drop(unsafe { Box::from_raw((*file.cast::<OpenFile>()).file) });
    ffi::SQLITE_OK
}

/// # Safety
/// Called by SQLite.
unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    length: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: SQLite's buffer has `length` bytes.
    let buffer = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length as usize) };
    // SAFETY: SQLite's arguments.
    match unsafe { file_of(file) }.read_at(buffer, offset as u64) {
        Ok(found) if found == buffer.len() => ffi::SQLITE_OK,
        Ok(found) => {
            buffer[found..].fill(0);
            ffi::SQLITE_IOERR_SHORT_READ
        }
        Err(_) => ffi::SQLITE_IOERR_READ,
    }
}

/// # Safety
/// Called by SQLite.
unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: SQLite's bytes.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length as usize) };
    // SAFETY: SQLite's arguments.
    code(unsafe { file_of(file) }.write_at(bytes, offset as u64), ffi::SQLITE_IOERR_WRITE)
}

/// # Safety
/// Called by SQLite.
unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: i64) -> c_int {
    // SAFETY: SQLite's arguments.
    code(unsafe { file_of(file) }.set_bytes(length as u64), ffi::SQLITE_IOERR_TRUNCATE)
}

/// # Safety
/// Called by SQLite.
unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: SQLite's arguments.
    code(unsafe { file_of(file) }.sync(std::panic::Location::caller()), ffi::SQLITE_IOERR_FSYNC)
}

/// # Safety
/// Called by SQLite.
unsafe extern "C" fn size(file: *mut ffi::sqlite3_file, out: *mut i64) -> c_int {
    // SAFETY: SQLite's arguments.
    let Ok(bytes) = unsafe { file_of(file) }.bytes() else { return ffi::SQLITE_IOERR_FSTAT };
    // SAFETY: SQLite's arguments.
    unsafe { *out = bytes as i64 };
    ffi::SQLITE_OK
}

/// # Safety
/// Called by SQLite.
unsafe extern "C" fn lock(_file: *mut ffi::sqlite3_file, _level: c_int) -> c_int {
    ffi::SQLITE_OK
}

/// # Safety
/// Called by SQLite.
unsafe extern "C" fn check_lock(_file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: SQLite's arguments.
    unsafe { *out = 0 };
    ffi::SQLITE_OK
}

/// # Safety
/// Called by SQLite.
unsafe extern "C" fn control(
    _file: *mut ffi::sqlite3_file,
    _operation: c_int,
    _argument: *mut c_void,
) -> c_int {
    ffi::SQLITE_NOTFOUND
}

/// # Safety
/// Called by SQLite.
unsafe extern "C" fn sector(_file: *mut ffi::sqlite3_file) -> c_int {
    4096
}

/// # Safety
/// Called by SQLite. The same as of files of the host: a sector that is written tears no other.
unsafe extern "C" fn characteristics(_file: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}
