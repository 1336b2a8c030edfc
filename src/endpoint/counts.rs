//! What a connection has done, in numbers; each costs an addition.

/// In the order of the fields of `wsclient.Stats`.
pub type Row = [u64; 14];
/// Where in a row the one number stands that does not add up: the high-water mark.
pub const HIGH_WATER: usize = 13;

/// What the endpoint counts; the core counts frames.
#[derive(Debug, Default)]
pub struct Counts {
    pub messages_received: u64,
    pub bytes_received: u64,
    pub messages_sent: u64,
    pub bytes_sent: u64,
    /// Frames of messages but their last.
    pub fragments_sent: u64,
    pub control_sent: u64,
    /// Of the messages that were compressed, bytes before and after.
    pub plain: u64,
    pub compressed: u64,
    pub pauses: u64,
}

impl Counts {
    #[inline]
    pub fn received(&mut self, size: usize) {
        self.messages_received += 1;
        self.bytes_received += size as u64;
    }

    /// A part of a message counts as the message if it is the last.
    pub fn received_part(&mut self, size: usize, last: bool) {
        self.messages_received += u64::from(last);
        self.bytes_received += size as u64;
    }

    #[inline]
    pub fn sent(&mut self, is_control: bool, size: usize) {
        if is_control {
            self.control_sent += 1;
        } else {
            self.messages_sent += 1;
            self.bytes_sent += size as u64;
        }
    }

    /// A fragment, the last of its message with `fin`.
    pub fn sent_fragment(&mut self, fin: bool, size: usize) {
        let count = if fin { &mut self.messages_sent } else { &mut self.fragments_sent };
        *count += 1;
        self.bytes_sent += size as u64;
    }
}

/// Add a connection's numbers to those of others.
pub fn add(sums: &mut Row, row: &Row) {
    for (index, (sum, number)) in sums.iter_mut().zip(row).enumerate() {
        *sum = if index == HIGH_WATER { *number.max(sum) } else { *sum + number };
    }
}
