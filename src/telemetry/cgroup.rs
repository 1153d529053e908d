//! The memory that control groups of Linux permit the process.
//!
//! A container or a systemd unit limits the memory of a process by its control group, or by one that contains it, and
//! the lowest of these limits counts. Both versions of control groups are read: version 2, where a group is a folder of
//! one hierarchy, and version 1, where memory has a hierarchy of its own. Must not know what the memory is for.

use std::fs;
use std::path::{Path, PathBuf};

/// Version 1 states no limit as the largest number of whole pages, which no machine has.
const NO_LIMIT: u64 = 1 << 60;

/// Returns the memory that the process may use, in bytes; `None` without a limit, or where no control group is visible.
pub fn memory_limit() -> Option<u64> {
    lowest_limit(&fs::read_to_string("/proc/self/cgroup").ok()?, Path::new("/sys/fs/cgroup"))
}

/// Returns the lowest limit of the groups in `groups`, the text of `/proc/self/cgroup`, below the mount point `root`.
fn lowest_limit(groups: &str, root: &Path) -> Option<u64> {
    groups.lines().filter_map(|line| limit_of_line(line, root)).min()
}

fn limit_of_line(line: &str, root: &Path) -> Option<u64> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, group) = (parts.next()?, parts.next()?, parts.next()?);
    let (root, file) = match controllers {
        "" => (root.to_owned(), "memory.max"),
        several if several.split(',').any(|one| one == "memory") => (root.join("memory"), "memory.limit_in_bytes"),
        _ => return None,
    };
    // In a container, the path may be that of the host, while the mount point shows only the groups of the container.
    // Folders that are not visible have no file, and the mount point itself is always looked at.
    let group: PathBuf = root.join(group.trim_start_matches('/'));
    let groups = group.ancestors().take_while(|folder| folder.starts_with(&root));
    let limits = groups.filter_map(|folder| fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok());
    limits.filter(|limit| *limit < NO_LIMIT).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, write};

    /// A folder with these files, removed when dropped.
    struct Root(PathBuf);

    impl Root {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let root = std::env::temp_dir().join(format!("detente-cgroup-{name}-{}", std::process::id()));
            for (path, text) in files {
                let path = root.join(path);
                create_dir_all(path.parent().unwrap()).unwrap();
                write(path, text).unwrap();
            }
            Self(root)
        }

        fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_lowest_limit_of_all_containing_groups_counts() {
        let files = [("a/memory.max", "536870912\n"), ("a/b/memory.max", "max\n"), ("memory.max", "1073741824\n")];
        let root = Root::new("two", &files);
        assert_eq!(lowest_limit("0::/a/b\n", root.path()), Some(536_870_912));
        assert_eq!(lowest_limit("0::/c\n", root.path()), Some(1_073_741_824), "an invisible group");
    }

    #[test]
    fn version_1_has_a_hierarchy_for_memory() {
        let files = [
            ("memory/a/memory.limit_in_bytes", "268435456\n"),
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ];
        let root = Root::new("one", &files);
        let groups = "5:cpu,cpuacct:/a\n4:memory:/a\n0::/\n";
        assert_eq!(lowest_limit(groups, root.path()), Some(268_435_456));
        assert_eq!(lowest_limit("4:memory:/\n", root.path()), None);
    }

    #[test]
    fn without_a_limit_or_a_readable_group_there_is_none() {
        let root = Root::new("none", &[("a/memory.max", "max\n"), ("b/memory.max", "garbage\n")]);
        for groups in ["0::/a\n", "0::/b\n", "0::/none\n", "", "nonsense\n", "1:cpu:/a\n", "0::/../../a\n"] {
            assert_eq!(lowest_limit(groups, root.path()), None, "{groups}");
        }
    }
}
