//! Which system calls the supervisor is asked about: rules as data, and the classic BPF made of them. No system call here.
//!
//! The data path (read, write, send, recv, poll, epoll) is not in any rule. Setting TCP options is answered in the
//! filter itself, for it is done on every connection and has no effect on vsock.

#![forbid(unsafe_code)]

use crate::architecture::Architecture;
use crate::options::{
    IP, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPV6, READ_OF_SOCKET, SOL_SOCKET, TCP, TCP_CONGESTION, names,
};

/// SECCOMP_RET_* (include/uapi/linux/seccomp.h).
pub const ALLOW: u32 = 0x7fff_0000;
/// The supervisor answers.
pub const NOTIFY: u32 = 0x7fc0_0000;
/// The call returns 0 without being made.
pub const SUCCEED: u32 = 0x0005_0000;
/// The call fails with ENOPROTOOPT without being made.
pub const REFUSE_OPTION: u32 = 0x0005_0000 | 92;

/// AF_INET
pub const AF_INET: u32 = 2;
/// AF_INET6
pub const AF_INET6: u32 = 10;
/// SOCK_TYPE_MASK: the rest of a socket's kind are flags.
pub const TYPE_MASK: u32 = 0xf;
/// SOCK_STREAM
pub const STREAM: u32 = 1;
/// Unsaid, IPPROTO_TCP, IPPROTO_MPTCP (Go's listeners ask for it).
pub const PROTOCOLS: [u32; 3] = [0, 6, 262];
/// FIONREAD, SIOCOUTQ, SIOCATMARK: vsock has none of them.
pub const IOCTLS: [u32; 3] = [0x541b, 0x5411, 0x8905];

/// Upper half of the first argument, a descriptor or a domain, in the preloaded library's own calls. The kernel reads the lower half alone; the
/// filter sees both, and lets them pass: what they mean is settled already. No address of a program begins so.
pub const SETTLED: u32 = 0x6470_6274;

/// A test of one argument; only its low 32 bits count where the kernel takes an int.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// Argument is one of these.
    OneOf(usize, Vec<u32>),
    /// Argument under the mask has this value.
    Masked(usize, u32, u32),
    /// Argument is a pointer, and not null.
    NotNull(usize),
}

/// A system call with arguments that pass all tests is answered so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Number of the system call.
    pub call: u32,
    /// Tests; all must pass.
    pub tests: Vec<Test>,
    /// SECCOMP_RET_*
    pub answer: u32,
}

/// The rules of TSI, tried in order; calls that meet none are allowed. `set_of_socket`: options of SOL_SOCKET the kernel
/// refuses to set on vsock.
#[must_use]
pub fn rules(machine: &Architecture, set_of_socket: &[u32]) -> Vec<Rule> {
    let rule = |call, tests, answer| Rule { call, tests, answer };
    let option = |level, options| vec![Test::OneOf(1, vec![level]), Test::OneOf(2, options)];
    let mut tcp = names(&TCP);
    tcp.push(TCP_CONGESTION);
    let stream = vec![
        Test::OneOf(0, vec![AF_INET, AF_INET6]),
        Test::Masked(1, TYPE_MASK, STREAM),
        Test::OneOf(2, PROTOCOLS.to_vec()),
    ];
    let mut rules = vec![
        rule(machine.setsockopt, option(IPPROTO_TCP, tcp), SUCCEED),
        rule(machine.setsockopt, vec![Test::OneOf(1, vec![IPPROTO_TCP])], REFUSE_OPTION),
        rule(machine.socket, stream, NOTIFY),
        rule(machine.connect, vec![], NOTIFY),
        rule(machine.accept4, vec![Test::NotNull(1)], NOTIFY),
        rule(machine.accept, vec![Test::NotNull(1)], NOTIFY),
        rule(machine.getsockopt, option(SOL_SOCKET, READ_OF_SOCKET.to_vec()), NOTIFY),
        rule(machine.getsockname, vec![], NOTIFY),
        rule(machine.getpeername, vec![], NOTIFY),
        rule(machine.getsockopt, vec![Test::OneOf(1, vec![IPPROTO_TCP])], NOTIFY),
        rule(machine.getsockopt, option(IPPROTO_IP, names(&IP)), NOTIFY),
        rule(machine.getsockopt, option(IPPROTO_IPV6, names(&IPV6)), NOTIFY),
        rule(machine.setsockopt, option(IPPROTO_IP, names(&IP)), NOTIFY),
        rule(machine.setsockopt, option(IPPROTO_IPV6, names(&IPV6)), NOTIFY),
        rule(machine.bind, vec![], NOTIFY),
        rule(machine.listen, vec![], NOTIFY),
        rule(machine.ioctl, vec![Test::OneOf(1, IOCTLS.to_vec())], NOTIFY),
    ];
    if !set_of_socket.is_empty() {
        rules.push(rule(machine.setsockopt, option(SOL_SOCKET, set_of_socket.to_vec()), NOTIFY));
    }
    rules
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

/// Offsets into struct seccomp_data.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

/// Operations (include/uapi/linux/bpf_common.h): load a word, mask it, jump if equal, return.
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

fn step(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

/// The program. Another machine's system calls (32-bit programs) are left alone.
#[must_use]
pub fn assemble(machine: &Architecture, rules: &[Rule]) -> Vec<Instruction> {
    let mut program = vec![
        step(LOAD, ARCH),
        Instruction { code: JUMP_EQUAL, jt: 1, jf: 0, k: machine.audit },
        step(RETURN, ALLOW),
        step(LOAD, low(0) + 4),
        Instruction { code: JUMP_EQUAL, jt: 0, jf: 1, k: SETTLED },
        step(RETURN, ALLOW),
        step(LOAD, NUMBER),
    ];
    for rule in rules {
        program.extend(block(rule));
    }
    program.push(step(RETURN, ALLOW));
    program
}

/// One rule. It begins and, when it does not apply, ends with the system call's number in the accumulator.
fn block(rule: &Rule) -> Vec<Instruction> {
    let mut inner = Vec::new();
    for test in &rule.tests {
        inner.extend(check(test));
    }
    inner.push(step(RETURN, rule.answer));
    if !rule.tests.is_empty() {
        inner.push(step(LOAD, NUMBER));
    }
    let length = inner.len();
    // A failed test goes to the last instruction, which loads the number again.
    for (at, instruction) in inner.iter_mut().enumerate() {
        if instruction.code == JUMP_EQUAL {
            let to_reload = distance(length - 1 - at - 1);
            instruction.jt = if instruction.jt == FAIL { to_reload } else { instruction.jt };
            instruction.jf = if instruction.jf == FAIL { to_reload } else { instruction.jf };
        }
    }
    let mut block = vec![Instruction { code: JUMP_EQUAL, jt: 0, jf: distance(length), k: rule.call }];
    block.append(&mut inner);
    block
}

/// Stands for "the test failed" until the block's length is known.
const FAIL: u8 = u8::MAX;

/// Falls through if the test passes.
fn check(test: &Test) -> Vec<Instruction> {
    match test {
        Test::OneOf(argument, values) => {
            let mut steps = vec![step(LOAD, low(*argument))];
            let last = values.len() - 1;
            for (at, value) in values.iter().enumerate() {
                let jf = if at == last { FAIL } else { 0 };
                steps.push(Instruction { code: JUMP_EQUAL, jt: distance(last - at), jf, k: *value });
            }
            steps
        }
        Test::Masked(argument, mask, value) => vec![
            step(LOAD, low(*argument)),
            step(AND, *mask),
            Instruction { code: JUMP_EQUAL, jt: 0, jf: FAIL, k: *value },
        ],
        Test::NotNull(argument) => vec![
            step(LOAD, low(*argument)),
            Instruction { code: JUMP_EQUAL, jt: 0, jf: 2, k: 0 },
            step(LOAD, low(*argument) + 4),
            Instruction { code: JUMP_EQUAL, jt: FAIL, jf: 0, k: 0 },
        ],
    }
}

fn low(argument: usize) -> u32 {
    ARGUMENTS + 8 * argument as u32
}

/// # Panics
/// When a rule is too long for a jump; rules are constants of this crate.
fn distance(instructions: usize) -> u8 {
    u8::try_from(instructions).ok().filter(|&length| length < FAIL).expect("a rule fits into one jump")
}
