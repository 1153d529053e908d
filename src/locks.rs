//! Locks without poisoning.
//!
//! The standard library poisons a lock when a thread panics while it holds the lock. Every panic of a call is caught
//! and logged (`middleware::panics`), and an unwrapped poison error would make each later call panic as well. These
//! functions ignore poisoning, so a lock may protect only a value that stays consistent if its holder panics. Must not
//! know what the locks protect.

use std::sync::{LockResult, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Locks a mutex, poisoned or not.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    ignore_poison(mutex.lock())
}

/// Locks a reader-writer lock for reading, poisoned or not.
pub(crate) fn read<T: ?Sized>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    ignore_poison(lock.read())
}

/// Locks a reader-writer lock for writing, poisoned or not.
pub(crate) fn write<T: ?Sized>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    ignore_poison(lock.write())
}

/// Unwraps the result of a lock operation, such as a wait on a condition variable, poisoned or not.
pub(crate) fn ignore_poison<T>(result: LockResult<T>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}
