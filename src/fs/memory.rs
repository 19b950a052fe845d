//! Memory that there is for a run.

use std::fs;

/// Bytes of memory that this process may still take, as far as the system tells: what is free, within the limits of its
/// container and of its shell (`ulimit -v`). `None` where it does not tell (only Linux does).
pub fn free_memory() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let number = |path: &str| read(path)?.trim().parse::<u64>().ok();
    let of_system = read("/proc/meminfo").and_then(|text| entry(&text, "MemAvailable:"));
    let of_container = number("/sys/fs/cgroup/memory.max").zip(number("/sys/fs/cgroup/memory.current")).map(
        |(most, now)| {
            most.saturating_sub(now.saturating_sub(reclaimable(read("/sys/fs/cgroup/memory.stat"))))
        },
    );
    let of_shell = read("/proc/self/limits").and_then(|text| address_space(&text)).map(|most| {
        let taken = read("/proc/self/status").and_then(|text| entry(&text, "VmSize:"));
        most.saturating_sub(taken.unwrap_or(0))
    });
    [of_system, of_container, of_shell].into_iter().flatten().min()
}

/// Bytes of memory that this process holds; `None` where the system does not tell (only Linux does).
pub fn used_memory() -> Option<u64> {
    entry(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// An entry `Name:   123 kB`, in bytes.
fn entry(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// Bytes of a container's files in memory, which the system gives up when it needs the room.
fn reclaimable(stat: Option<String>) -> u64 {
    let line = |line: &str| line.strip_prefix("inactive_file ").and_then(|bytes| bytes.trim().parse().ok());
    stat.and_then(|text| text.lines().find_map(line)).unwrap_or(0)
}

/// The limit of the address space; `None` where it is unlimited.
fn address_space(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_read_in_bytes() {
        let meminfo = "MemTotal:       16000000 kB\nMemFree:  1000 kB\nMemAvailable:    8000000 kB\n";
        assert_eq!(entry(meminfo, "MemAvailable:"), Some(8_000_000 << 10));
        assert_eq!(entry(meminfo, "VmSize:"), None);
        let limits =
            "Limit      Soft Limit  Hard Limit  Units\nMax address space   2000000   unlimited  bytes\n";
        assert_eq!(address_space(limits), Some(2_000_000));
        assert_eq!(address_space("Max address space   unlimited   unlimited  bytes\n"), None);
        assert_eq!(reclaimable(Some("anon 5\ninactive_file 7000\n".to_owned())), 7000);
        #[cfg(target_os = "linux")]
        assert!(free_memory().unwrap() > 1 << 20 && used_memory().unwrap() > 1 << 20);
    }
}
