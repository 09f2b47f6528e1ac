//! Records of several databases, in blocks that they share.
//!
//! Each database has a queue of blocks; records are appended to its last one and taken from its first. Invariants: a record that was kept stays until
//! it was both read and released; what is read is in the order in which it was kept; no database takes all blocks, so that one whose records
//! nobody writes does not silence the others; what finds no room is counted.

use crate::record::{Records, size_of};

/// Bytes of one block's records.
pub const BLOCK: usize = 8184;
/// How many blocks there are.
pub const BLOCKS: usize = 60;
/// Most blocks of one database.
pub const SHARE: usize = 52;
/// Most databases.
pub const DATABASES: usize = 32;

/// Number of a block, counted from one; 0 is none.
type Number = u16;

#[derive(Clone, Copy)]
struct Block {
    next: Number,
    length: u16,
    bytes: [u8; BLOCK],
}

const EMPTY: Block = Block { next: 0, length: 0, bytes: [0; BLOCK] };

/// The records of one database.
#[derive(Clone, Copy, Default)]
struct Queue {
    /// 0: free.
    database: u32,
    first: Number,
    last: Number,
    blocks: u16,
    /// What is released already of the first block.
    start: u16,
    records: u32,
    lost: u64,
}

/// All of it.
#[derive(Clone, Copy)]
pub struct Buffer {
    queues: [Queue; DATABASES],
    free: Number,
    left: u16,
    blocks: [Block; BLOCKS],
}

impl Default for Buffer {
    fn default() -> Buffer {
        let mut buffer = Buffer {
            queues: [Queue::default(); DATABASES],
            free: 1,
            left: BLOCKS as u16,
            blocks: [EMPTY; BLOCKS],
        };
        for at in 1..BLOCKS {
            buffer.blocks[at - 1].next = at as Number + 1;
        }
        buffer
    }
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It waits.
    Waits {
        /// It is the first one: whoever writes may be asleep.
        first: bool,
        /// Half of the room is taken: it is time to write.
        pressed: bool,
    },
    /// There was no room; it is counted.
    Lost,
}

impl Buffer {
    fn queue(&self, database: u32) -> Option<usize> {
        self.queues.iter().position(|queue| queue.database == database)
    }

    /// The queue of a database, a free one if it has none.
    fn queue_or_new(&mut self, database: u32) -> Option<usize> {
        let at = self.queue(database).or_else(|| self.queue(0))?;
        self.queues[at].database = database;
        Some(at)
    }

    /// Keeps `records`, which are one or more whole records, for a database.
    pub fn keep(&mut self, database: u32, records: &[u8]) -> Kept {
        let mut kept = Kept::Waits { first: false, pressed: false };
        let mut rest = records;
        while let Some(size) = size_of(rest) {
            let (one, after) = rest.split_at(size);
            kept = match (kept, self.keep_one(database, one)) {
                (Kept::Waits { first: a, pressed: b }, Kept::Waits { first: c, pressed: d }) => {
                    Kept::Waits { first: a || c, pressed: b || d }
                }
                _ => Kept::Lost,
            };
            rest = after;
        }
        kept
    }

    fn keep_one(&mut self, database: u32, record: &[u8]) -> Kept {
        let Some(at) = self.queue_or_new(database) else { return Kept::Lost };
        let queue = self.queues[at];
        let fits = queue.last != 0
            && usize::from(self.blocks[usize::from(queue.last) - 1].length) + record.len() <= BLOCK;
        if !fits && !self.add_block(at) {
            self.queues[at].lost += 1;
            return Kept::Lost;
        }
        let queue = &mut self.queues[at];
        let block = &mut self.blocks[usize::from(queue.last) - 1];
        let from = usize::from(block.length);
        block.bytes[from..from + record.len()].copy_from_slice(record);
        block.length += record.len() as u16;
        queue.records += 1;
        let pressed = usize::from(queue.blocks) * 2 > SHARE || usize::from(self.left) * 2 < BLOCKS;
        Kept::Waits { first: queue.records == 1, pressed }
    }

    fn add_block(&mut self, at: usize) -> bool {
        let queue = &mut self.queues[at];
        if self.free == 0 || usize::from(queue.blocks) >= SHARE {
            return false;
        }
        let number = self.free;
        let block = &mut self.blocks[usize::from(number) - 1];
        self.free = block.next;
        self.left -= 1;
        (block.next, block.length) = (0, 0);
        if queue.last == 0 {
            (queue.first, queue.start) = (number, 0);
        } else {
            self.blocks[usize::from(queue.last) - 1].next = number;
        }
        queue.last = number;
        queue.blocks += 1;
        true
    }

    /// Appends to `out` the records that have waited longest, at most about `most` bytes. They stay until they are released.
    pub fn read(&self, database: u32, most: usize, out: &mut Vec<u8>) {
        let Some(queue) = self.queue(database).map(|at| self.queues[at]) else { return };
        let (mut number, mut start, begin) = (queue.first, usize::from(queue.start), out.len());
        while number != 0 && out.len() - begin < most {
            let block = &self.blocks[usize::from(number) - 1];
            out.extend_from_slice(&block.bytes[start..usize::from(block.length)]);
            (number, start) = (block.next, 0);
        }
    }

    /// Gives back the room of the first `bytes` that were read.
    pub fn release(&mut self, database: u32, bytes: usize) {
        let Some(at) = self.queue(database) else { return };
        let mut left = bytes;
        while left > 0 && self.queues[at].first != 0 {
            let queue = self.queues[at];
            let block = self.blocks[usize::from(queue.first) - 1];
            let (start, length) = (usize::from(queue.start), usize::from(block.length));
            let released = left.min(length - start);
            let records = Records(&block.bytes[start..start + released]).count() as u32;
            let queue = &mut self.queues[at];
            queue.records = queue.records.saturating_sub(records);
            queue.start += released as u16;
            left -= released;
            if start + released < length {
                return;
            }
            let number = queue.first;
            queue.first = block.next;
            (queue.start, queue.blocks) = (0, queue.blocks - 1);
            if queue.first == 0 {
                queue.last = 0;
            }
            self.blocks[usize::from(number) - 1].next = self.free;
            self.free = number;
            self.left += 1;
        }
    }

    /// How many records of a database wait.
    pub fn waiting(&self, database: u32) -> u32 {
        self.queue(database).map_or(0, |at| self.queues[at].records)
    }

    /// Whether a database may take `blocks` more.
    pub fn has_room(&self, database: u32, blocks: usize) -> bool {
        let taken = self.queue(database).map_or(0, |at| usize::from(self.queues[at].blocks));
        (self.queue(database).is_some() || self.queue(0).is_some())
            && usize::from(self.left) >= blocks
            && SHARE - taken >= blocks
    }

    /// Whether more than half of the room is taken.
    pub fn pressed(&self, database: u32) -> bool {
        let taken = self.queue(database).map_or(0, |at| usize::from(self.queues[at].blocks));
        taken * 2 > SHARE || usize::from(self.left) * 2 < BLOCKS
    }

    /// How many records of a database found no room, and were not written down as lost yet.
    pub fn lost(&self, database: u32) -> u64 {
        self.queue(database).map_or(0, |at| self.queues[at].lost)
    }

    /// It is written down that so many were lost.
    pub fn told_lost(&mut self, database: u32, number: u64) {
        if let Some(at) = self.queue(database) {
            let queue = &mut self.queues[at];
            queue.lost = queue.lost.saturating_sub(number);
        }
    }
}
