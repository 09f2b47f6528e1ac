//! What is done to the server while clients write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fluxbase_tests::cluster::{Cluster, connect, run};
use fluxbase_tests::eventually;
use fluxbase_tests::fixture::Database;
use fluxbase_tests::listener::Listener;
use fluxbase_tests::load::Counting;
use fluxbase_tests::settings::settings;

use crate::clients::{KINDS, Kind, Ledger};

/// Longest that a killed server may take to be there again for every kind of write.
pub const RETURN: Duration = Duration::from_secs(60);

/// Longest that the harness waits for what it does itself.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long something lasts that is not over by itself.
const LASTS: Duration = Duration::from_secs(6);

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    Backend,
    Delegate,
    DelegateEnds,
    Executor,
    Coordinator,
    Listener,
    Immediate,
    Disk,
    Runtime,
}

pub const STRIKES: [Strike; 9] = [
    Strike::Backend,
    Strike::Delegate,
    Strike::DelegateEnds,
    Strike::Executor,
    Strike::Coordinator,
    Strike::Listener,
    Strike::Immediate,
    Strike::Disk,
    Strike::Runtime,
];

impl Strike {
    pub fn name(self) -> &'static str {
        match self {
            Strike::Backend => "`kill -9` of a backend of the listener",
            Strike::Delegate => "`kill -9` of the delegate worker",
            Strike::DelegateEnds => "SIGTERM to the delegate worker",
            Strike::Executor => "`kill -9` of a process that runs a job",
            Strike::Coordinator => "`kill -9` of the coordinator of jobs",
            Strike::Listener => "`kill -9` of the listener, started again after a second",
            Strike::Immediate => "`pg_ctl restart -m immediate`",
            Strike::Disk => "the disk of stored files is full for six seconds",
            Strike::Runtime => "the runtime of functions hangs for six seconds",
        }
    }

    /// What goes on meanwhile, of a strike that is not over at once.
    fn spares(self) -> &'static [Kind] {
        match self {
            Strike::Disk => &[Kind::Unique, Kind::Plain, Kind::Batch, Kind::Job, Kind::Function],
            Strike::Runtime => &[Kind::Unique, Kind::Plain, Kind::Batch, Kind::Upload, Kind::Job],
            _ => &[],
        }
    }
}

/// The server under load. What needs the others goes first.
pub struct Stage {
    /// `None` for a moment only.
    pub listener: Option<Listener>,
    /// Where files are stored, when it is a file system of its own.
    pub disk: Option<Disk>,
    pub cluster: Cluster,
    pub database: Database,
    pub address: String,
    pub runtime: Counting,
}

/// What a strike did.
pub struct Struck {
    pub strike: Strike,
    /// Time from the strike, or from its end, until a write of each kind was done that had been begun later.
    pub back: Vec<(Kind, Option<Duration>)>,
    /// What should have gone on and did not.
    pub stopped: Vec<Kind>,
}

impl Stage {
    /// One value in a connection of its own; waits for a server that recovers.
    pub fn value(&self, sql: &str) -> String {
        eventually(PATIENCE, sql, || {
            let mut admin = connect(&self.database.admin_url).ok()?;
            let row = admin.query_opt(sql, &[]).ok()??;
            row.get::<_, Option<String>>(0)
        })
    }

    /// The listener, at its usual place.
    pub fn listen(&mut self) {
        let environment = [
            ("FLUXBASE_LISTENER_LISTEN", self.address.as_str()),
            ("FLUXBASE_LISTENER_POOL_SIZE", "6"),
            ("FLUXBASE_LISTENER_ACCESS_LOG", "false"),
        ];
        self.listener =
            Some(Listener::start_anyway(&self.cluster, &self.database.listener_url, &environment));
    }

    /// Kills a process of Postgres's. The others end with it; comes back when they have.
    fn kill(&self, pid: &str) {
        let ended = || self.cluster.log().matches("all server processes terminated").count();
        let before = ended();
        let sent = Command::new("kill").args(["-s", "KILL", pid]).status().expect("kill runs");
        // It may have ended by itself just now: then another strike finds its victim.
        if sent.success() {
            eventually(PATIENCE, "the end of all processes", || (ended() > before).then_some(()));
        }
    }

    fn pid(&self, of: Strike) -> String {
        self.value(match of {
            Strike::Backend => {
                "SELECT pid::text FROM pg_stat_activity WHERE usename = 'fluxbase_listener' AND backend_type = 'client backend'
                  ORDER BY state <> 'active', random() LIMIT 1"
            }
            Strike::Executor => {
                "SELECT pid::text FROM mcp.jobs_status() WHERE process = 'executor' AND pid IS NOT NULL ORDER BY job IS NULL LIMIT 1"
            }
            Strike::Coordinator => {
                "SELECT pid::text FROM mcp.jobs_status() WHERE process = 'coordinator' AND pid IS NOT NULL"
            }
            _ => "SELECT pid::text FROM mcp.worker_status() WHERE state = 'running'",
        })
    }

    /// Strikes, and waits until all is as before.
    pub fn strike(&mut self, strike: Strike, ledger: &Ledger) -> Struck {
        let mut begun = Instant::now();
        let mut stopped = Vec::new();
        // Writes that had been begun before the victim was gone prove nothing.
        let since;
        match strike {
            Strike::Backend | Strike::Delegate | Strike::Executor | Strike::Coordinator => {
                let pid = self.pid(strike);
                begun = Instant::now();
                self.kill(&pid);
                since = ledger.now();
            }
            Strike::DelegateEnds => {
                let pid = self.pid(strike);
                begun = Instant::now();
                self.value(&format!("SELECT pg_terminate_backend({pid}, 30000)::text"));
                since = ledger.now();
            }
            Strike::Listener => {
                if let Some(listener) = self.listener.take() {
                    begun = Instant::now();
                    listener.signal("KILL");
                    drop(listener);
                }
                since = ledger.now();
                // As a service manager does.
                std::thread::sleep(Duration::from_secs(1));
                self.listen();
            }
            Strike::Immediate => {
                begun = Instant::now();
                self.cluster.stop("immediate");
                since = ledger.now();
                self.cluster.start_again();
            }
            Strike::Disk | Strike::Runtime => {
                let Some(disk) = self.disk.as_ref().filter(|_| strike == Strike::Disk) else {
                    self.runtime.hang(true);
                    stopped = stopped_during(strike, ledger);
                    self.runtime.hang(false);
                    return self.wait(strike, Instant::now(), ledger.now(), stopped, ledger);
                };
                disk.fill();
                stopped = stopped_during(strike, ledger);
                disk.empty();
                begun = Instant::now();
                since = ledger.now();
            }
        }
        self.wait(strike, begun, since, stopped, ledger)
    }

    fn wait(
        &self,
        strike: Strike,
        begun: Instant,
        since: Duration,
        stopped: Vec<Kind>,
        ledger: &Ledger,
    ) -> Struck {
        let mut back: Vec<(Kind, Option<Duration>)> = KINDS.iter().map(|&kind| (kind, None)).collect();
        while back.iter().any(|(_, time)| time.is_none()) && begun.elapsed() < RETURN {
            for (kind, time) in &mut back {
                if time.is_none() && ledger.latest(*kind) > since {
                    *time = Some(begun.elapsed());
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Struck { strike, back, stopped }
    }
}

/// Lets it last; what should have gone on meanwhile and was not done once.
fn stopped_during(strike: Strike, ledger: &Ledger) -> Vec<Kind> {
    let since = ledger.now();
    std::thread::sleep(LASTS);
    // A machine that is busy with something else is given more time.
    let until = Instant::now() + Duration::from_secs(30);
    let stands = |kind: &&Kind| ledger.latest(**kind) <= since;
    while strike.spares().iter().any(|kind| stands(&kind)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    strike.spares().iter().filter(stands).copied().collect()
}

/// A small file system of its own, which can be full.
pub struct Disk {
    pub path: PathBuf,
}

impl Disk {
    /// Makes one of that many megabytes in memory. `None` where we may not mount, or have no place where Postgres could enter it.
    pub fn mount(folder: &Path, megabytes: u32) -> Option<Disk> {
        let path = folder.join("disk");
        run(settings().as_user("mkdir").arg("-m").arg("0700").arg(&path));
        let owner = fs::metadata(&path).ok()?;
        use std::os::unix::fs::MetadataExt;
        let options = format!("size={megabytes}m,mode=0700,uid={},gid={}", owner.uid(), owner.gid());
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(&path).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(Disk { path })
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let file = self.path.join("filler");
        // It ends with an error when there is no more room: that is what it is for.
        let _ = settings()
            .as_user("dd")
            .arg("if=/dev/zero")
            .arg(format!("of={}", file.display()))
            .args(["bs=16k", "status=none"])
            .output();
        assert!(file.exists(), "the disk could not be filled");
    }

    /// Gives it back.
    pub fn empty(&self) {
        run(settings().as_user("rm").arg(self.path.join("filler")));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}
