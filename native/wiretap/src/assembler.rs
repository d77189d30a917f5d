//! Classic BPF as a list of named steps. Codes: include/uapi/linux/bpf_common.h and filter.h of the kernel. A load
//! beyond the packet's end rejects the packet, which is what a filter wants.

/// Where a test leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// The next step.
    Next,
    /// The packet counts.
    Accept,
    /// It does not.
    Reject,
}

/// One step. `A` is the accumulator, `X` the index register; offsets count from the IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A = the byte at the offset
    Byte(u32),
    /// A = the 16 bits at the offset
    Half(u32),
    /// A = the byte at X + offset
    ByteAtX(u32),
    /// A = the 16 bits at X + offset
    HalfAtX(u32),
    /// A = the 32 bits at X + offset
    WordAtX(u32),
    /// X = 4 * (low half of the byte at the offset): the length of an IP header
    HeaderLengthToX(u32),
    /// A &= mask
    And(u32),
    /// A >>= bits
    ShiftRight(u32),
    /// A += X
    AddX,
    /// A -= X
    SubX,
    /// X = A
    ToX,
    /// A == value?
    IfEqual(u32, To, To),
    /// A & mask != 0?
    IfAny(u32, To, To),
}

/// One instruction as the kernel reads it (struct sock_filter).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Instructions to skip if the test holds.
    pub jt: u8,
    /// Instructions to skip if it does not.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

/// Return k: so many bytes of the packet are kept; one is the least that counts.
const RETURN: u16 = 0x06;

/// Steps, then the two ends of every program: accept, reject.
///
/// # Panics
/// When a program is longer than a jump can reach (255 steps); programs are constants of this crate.
#[must_use]
pub fn assemble(steps: &[Step]) -> Vec<Instruction> {
    assert!(steps.len() < 255, "a jump reaches 255 instructions");
    let mut program: Vec<_> = steps.iter().enumerate().map(|(at, step)| encode(*step, steps.len() - at - 1)).collect();
    program.push(Instruction { code: RETURN, jt: 0, jf: 0, k: 1 });
    program.push(Instruction { code: RETURN, jt: 0, jf: 0, k: 0 });
    program
}

/// `left`: steps between this one and the accepting end.
fn encode(step: Step, left: usize) -> Instruction {
    let jump = |to| match to {
        To::Next => 0,
        To::Accept => left as u8,
        To::Reject => left as u8 + 1,
    };
    let (code, yes, no, k) = match step {
        Step::Byte(k) => (0x30, To::Next, To::Next, k),
        Step::Half(k) => (0x28, To::Next, To::Next, k),
        Step::ByteAtX(k) => (0x50, To::Next, To::Next, k),
        Step::HalfAtX(k) => (0x48, To::Next, To::Next, k),
        Step::WordAtX(k) => (0x40, To::Next, To::Next, k),
        Step::HeaderLengthToX(k) => (0xb1, To::Next, To::Next, k),
        Step::And(k) => (0x54, To::Next, To::Next, k),
        Step::ShiftRight(k) => (0x74, To::Next, To::Next, k),
        Step::AddX => (0x0c, To::Next, To::Next, 0),
        Step::SubX => (0x1c, To::Next, To::Next, 0),
        Step::ToX => (0x07, To::Next, To::Next, 0),
        Step::IfEqual(k, yes, no) => (0x15, yes, no, k),
        Step::IfAny(k, yes, no) => (0x45, yes, no, k),
    };
    Instruction { code, jt: jump(yes), jf: jump(no), k }
}
