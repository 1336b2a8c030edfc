//! What programs are made of, each step decoded from three numbers: smaller ones mean less.

/// How the connection and its peer are.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent")]
pub struct Setting {
    pub autoclose: bool,
    pub autoping: bool,
    pub shows_close: bool,
    pub policy: Policy,
    /// Messages may be compressed.
    pub deflate: bool,
    /// Large messages have a place outside the core.
    pub places: bool,
    pub comes_paused: bool,
    pub limit: Option<u32>,
    /// How many messages may wait, and at how many reading goes on.
    pub bound: Option<(usize, usize)>,
    /// In the end the peer reads nothing before all that it has to say is read.
    pub stubborn: bool,
    /// It reads at all.
    pub reads: bool,
    pub ending: Ending,
}

/// What becomes of messages that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    Backpressure,
    Newest(usize),
    Keyed(usize),
}

/// Who ends the connection, if the program has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    PeerCloses,
    UserCloses,
    PeerLeaves,
    Breaks,
}

impl Setting {
    /// The setting with this number.
    pub fn of(number: u32) -> Self {
        let bit = |place: u32| number >> place & 1 == 1;
        let max_size = [1, 2, 5, 40][(number >> 8 & 3) as usize];
        Self {
            autoclose: !bit(0),
            autoping: !bit(1),
            shows_close: bit(2),
            policy: match number >> 3 & 3 {
                0 | 1 => Policy::Backpressure,
                2 => Policy::Newest(max_size),
                _ => Policy::Keyed(max_size),
            },
            deflate: bit(5),
            places: bit(6),
            comes_paused: bit(7),
            limit: (number >> 10 & 3 == 3).then_some(70_000),
            bound: [None, Some((1, 0)), Some((3, 1)), Some((16, 4))][(number >> 16 & 3) as usize],
            stubborn: bit(12),
            reads: !bit(15),
            ending: match number >> 13 & 3 {
                0 => Ending::PeerCloses,
                1 => Ending::UserCloses,
                2 => Ending::PeerLeaves,
                _ => Ending::Breaks,
            },
        }
    }
}

/// What happens next.
#[derive(Debug, Clone)]
pub enum Step {
    /// The peer says something; it is delivered later.
    Message {
        text: bool,
        size: usize,
        fragments: usize,
        compressed: bool,
    },
    Burst {
        count: usize,
        size: usize,
        compressed: bool,
    },
    Ping {
        size: usize,
    },
    Pong {
        asked: bool,
    },
    Close {
        code: Option<u16>,
    },
    Violate {
        how: u16,
    },
    Leave,
    /// The network brings bytes; of a large message under way to its place, with `direct`.
    Deliver {
        size: usize,
        direct: bool,
    },
    /// The transport fails, and calls back soon.
    Break,
    /// The event loop's next turn.
    Turn,
    /// The peer takes what was written, or from now on does so at once or not at all.
    Drain {
        size: usize,
    },
    Heed {
        at_once: bool,
    },
    /// The user.
    Take {
        count: usize,
    },
    TakeAll,
    /// The user takes texts up to what is none.
    TakeTexts,
    PutBack {
        late: bool,
        count: usize,
    },
    Wait,
    /// A message is received in parts, the one that was begun or a new one; `again` puts each part
    /// back once.
    Stream {
        count: usize,
        anew: bool,
        again: bool,
    },
    /// Nobody wants its rest, or waits for its first part.
    LeaveParts,
    WantNoPart,
    Send {
        size: usize,
        text: bool,
    },
    /// A message in fragments.
    Begin {
        text: bool,
    },
    Fragment {
        size: usize,
        fin: bool,
    },
    BreakOff,
    SendPing {
        awaited: bool,
    },
    Shut {
        code: u16,
    },
    Abort,
    Fail,
    Pause {
        pause: bool,
    },
    /// When a key is asked for next, that code does this.
    Meddle {
        how: Meddle,
    },
    /// The timer fires.
    Tick,
    /// There is no memory for the message after so many.
    Exhaust {
        after: u16,
    },
}

/// What the code does that tells keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meddle {
    Take,
    Close,
    Abort,
}

/// Mostly small, sometimes above what the core announces or the inbox holds.
fn size(class: u16, fine: u16) -> usize {
    let fine = usize::from(fine);
    match class % 16 {
        0..=8 => fine % 126,
        9..=11 => fine % 5000,
        12 | 13 => fine,
        14 => 0x1_0000 + fine,
        _ => 0x2_0000 + 7 * fine,
    }
}

impl Step {
    /// The step with these numbers.
    pub fn of(kind: u8, first: u16, second: u16) -> Self {
        let flag = first & 0x100 != 0;
        match kind % 64 {
            0..=11 => Self::Deliver {
                size: match first % 4 {
                    0 => 1 + usize::from(second % 16),
                    1 => 1 + usize::from(second),
                    _ => 0x4_0000,
                },
                direct: flag,
            },
            12..=19 => Self::Message {
                text: first & 0x200 != 0,
                size: size(first, second),
                fragments: 1 + usize::from(first >> 10 & 3),
                compressed: flag,
            },
            20..=23 => Self::Burst {
                count: 1 + usize::from(second % 40),
                size: [0, 100, 20_000, 50_000][usize::from(first % 4)],
                compressed: first & 0x700 == 0x100,
            },
            24..=27 => Self::Ping { size: usize::from(second % 126) },
            28 => Self::Pong { asked: first.is_multiple_of(2) },
            29..=32 => Self::Take { count: 1 + usize::from(second % 50) },
            33 | 34 => Self::Stream {
                count: 1 + usize::from(second % 8),
                anew: first.is_multiple_of(8),
                again: flag,
            },
            35 => Self::TakeAll,
            36 => Self::TakeTexts,
            37 => Self::PutBack { late: flag, count: 1 + usize::from(second % 3) },
            38 => Self::Wait,
            39..=41 => Self::Send { size: size(first, second), text: flag },
            42 => Self::Begin { text: flag },
            43 => Self::Fragment { size: size(first, second), fin: flag },
            44 => Self::SendPing { awaited: flag },
            45..=48 => Self::Drain { size: usize::from(second) },
            49 | 50 => Self::Heed { at_once: flag },
            51 | 52 => Self::Turn,
            53 => Self::Fragment { size: usize::from(second % 126), fin: false },
            54 => Self::Pause { pause: flag },
            55 | 56 => Self::Tick,
            _ => Self::rare(kind, first, second),
        }
    }

    fn rare(kind: u8, first: u16, second: u16) -> Self {
        match (kind % 64, first % 4) {
            (57, _) => Self::Meddle {
                how: match first % 8 {
                    0..=5 => Meddle::Take,
                    6 => Meddle::Close,
                    _ => Meddle::Abort,
                },
            },
            (58, 0) => Self::Close { code: None },
            (58, 1..=3) => Self::Close { code: Some([1000, 1001, 4000][usize::from(second % 3)]) },
            (59, 0) => Self::Violate { how: second },
            (59, 1) => Self::Exhaust { after: second % 8 },
            (60, 0 | 1) => Self::Shut { code: [1000, 1011, 3000][usize::from(second % 3)] },
            (60, 2) => Self::LeaveParts,
            (60, 3) => Self::WantNoPart,
            (61, 0) => Self::Leave,
            (61, 1) => Self::BreakOff,
            (62, 0) => match second % 4 {
                0 | 1 => Self::Abort,
                2 => Self::Fail,
                _ => Self::Break,
            },
            (63, 0) => Self::Burst { count: 9000, size: 0, compressed: false },
            // More than is kept at the end; it takes long.
            (63, 1) if second.is_multiple_of(32) => {
                Self::Burst { count: 40, size: 500_000, compressed: true }
            }
            _ => Self::Turn,
        }
    }
}
