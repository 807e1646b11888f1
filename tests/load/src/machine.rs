//! The machine, and what a process has used of it.

use std::path::Path;
use std::time::Duration;

/// Linux counts a process's time in hundredths of a second towards programs, whatever it does inside.
const TICK: Duration = Duration::from_millis(10);

/// How many cores this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// One line about the machine.
pub fn describe() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown", |(_, name)| name.trim());
    format!("{} cores ({model}), load average {}", cores(), load_average())
}

/// The load averages of 1, 5 and 15 minutes. Far above zero before the start, others were working too.
pub fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// The time that a process with all its threads has spent on the cores, in user and in system mode.
pub fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    ticks(&stat).map_or(Duration::ZERO, |ticks| TICK.saturating_mul(ticks))
}

/// Resident memory of a process: now, and the most it ever was, in MiB.
pub fn memory(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
    };
    (field("VmRSS:").unwrap_or(0) / 1024, field("VmHWM:").unwrap_or(0) / 1024)
}

/// The time of all processes that work in `folder` or below: a server keeps to a folder of its own.
pub fn cpu_in(folder: &Path) -> Duration {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ours =
        all.filter(|entry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder)));
    ours.filter_map(|entry| Some(cpu(entry.file_name().to_str()?.parse().ok()?))).sum()
}

/// Fields 14 and 15. The name before them stands in brackets and may hold blanks and brackets.
fn ticks(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11).map(str::parse::<u32>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    user.checked_add(system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_found_behind_any_name() {
        let stat = "42 (a) b) c) S 1 42 42 0 -1 4194560 100 0 0 0 7 5 0 0 20 0 1 0 100 1000 10";
        assert_eq!(ticks(stat), Some(12));
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn this_process_has_used_some_time() {
        let mut sum = 0_u64;
        for number in 0..200_000_000_u64 {
            sum = std::hint::black_box(sum.wrapping_add(number));
        }
        assert!(cpu(std::process::id()) > Duration::ZERO, "{sum}");
        assert!(cpu_in(&std::env::current_dir().unwrap()) > Duration::ZERO);
    }
}
