//! Mode, owner and age of the token file, and who reads it.

/// What `stat` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: i64,
    /// Group.
    pub gid: i64,
    /// When it was written, in seconds since 1970; `None` where the program does not tell.
    pub modified: Option<i64>,
}

/// Reads the answer to `stat -L -c '%a %u %g %Y'`.
pub fn of_stat(text: &str) -> Option<Stat> {
    let mut words = text.split_whitespace();
    let mode = u32::from_str_radix(words.next()?, 8).ok().filter(|mode| *mode <= 0o7777)?;
    let (uid, gid) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(Stat { mode, uid, gid, modified: words.next().and_then(|word| word.parse().ok()) })
}

/// Reads the answer to `ls -lnL`: `-rw-r----- 1 0 1000 1234 ...`; its date is in no fixed form.
pub fn of_ls(text: &str) -> Option<Stat> {
    let mut words = text.split_whitespace();
    let bits = words.next()?.get(1..10)?;
    let mode = bits.chars().fold(0, |mode, c| (mode << 1) | u32::from(c != '-'));
    let mut words = words.skip(1);
    Some(Stat { mode, uid: words.next()?.parse().ok()?, gid: words.next()?.parse().ok()?, modified: None })
}

/// The effective user in `/proc/self/status`: `Uid:` real, effective, saved, file system.
pub fn effective_uid(status: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// What the node's clock shows, from `/proc/stat` and `/proc/uptime` read together: the kernel says in `btime` when it
/// was booted by its own clock of today, and how long ago that was.
pub fn node_clock(text: &str) -> Option<i64> {
    let booted: i64 = text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    let uptime = text.lines().last()?.split_whitespace().next()?;
    let seconds: i64 = uptime.split('.').next()?.parse().ok()?;
    Some(booted + seconds)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_print_is_read() {
        let stat = of_stat("640 0 65532 1700000000\n").unwrap();
        assert_eq!(stat, Stat { mode: 0o640, uid: 0, gid: 65532, modified: Some(1_700_000_000) });
        let ls = of_ls("-rw-r-----    1 0   65532  1034 Nov 21 10:00 /var/run/token\n").unwrap();
        assert_eq!((ls.mode, ls.gid), (0o640, 65532));
        for odd in ["", "stat: unknown option", "999 0 0", "-rw"] {
            assert_eq!(of_stat(odd), None, "{odd}");
        }
        assert_eq!(of_ls("ls: /x: No such file or directory"), None);
        assert_eq!(effective_uid("Name:\tcat\nUid:\t0\t65532\t0\t0\n"), Some(65532));
        assert_eq!(node_clock("cpu 1\nbtime 1700000000\nsoftirq 1\n12.34 5.6\n"), Some(1_700_000_012));
        assert_eq!(node_clock("12.3 4.5"), None);
    }
}
