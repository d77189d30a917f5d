//! The filter's program, run by a small interpreter, against what the rules say.

#![forbid(unsafe_code)]

use proptest::prelude::*;
use tsi::architecture::{AARCH64, Architecture, X86_64};
use tsi::filter::{ALLOW, Instruction, NOTIFY, REFUSE_OPTION, Rule, SETTLED, SUCCEED, Test, assemble, rules};
use tsi::{moved, options};

/// What a filter sees of a system call (struct seccomp_data).
#[derive(Debug, Clone, Copy)]
struct Call {
    number: u32,
    audit: u32,
    arguments: [u64; 6],
}

fn word(call: &Call, offset: u32) -> u32 {
    match offset {
        0 => call.number,
        4 => call.audit,
        16..64 => (call.arguments[(offset as usize - 16) / 8] >> (offset % 8 * 8)) as u32,
        _ => panic!("the filter loads from offset {offset}"),
    }
}

fn run(program: &[Instruction], call: &Call) -> u32 {
    let (mut at, mut accumulator) = (0, 0);
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        match code {
            0x20 => accumulator = word(call, k),
            0x54 => accumulator &= k,
            0x15 => at += usize::from(if accumulator == k { jt } else { jf }),
            0x06 => return k,
            other => panic!("operation {other:#x}"),
        }
    }
}

/// The same by the rules themselves.
fn expected(machine: &Architecture, rules: &[Rule], call: &Call) -> u32 {
    if call.audit != machine.audit || (call.arguments[0] >> 32) as u32 == SETTLED {
        return ALLOW;
    }
    let passes = |test: &Test| match test {
        Test::OneOf(at, values) => values.contains(&(call.arguments[*at] as u32)),
        Test::Masked(at, mask, value) => call.arguments[*at] as u32 & mask == *value,
        Test::NotNull(at) => call.arguments[*at] != 0,
    };
    let rule = rules.iter().find(|rule| rule.call == call.number && rule.tests.iter().all(passes));
    rule.map_or(ALLOW, |rule| rule.answer)
}

fn asked(machine: &Architecture, number: u32, arguments: &[u64]) -> u32 {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    let program = assemble(machine, &rules(machine, &[options::SO_REUSEPORT]));
    run(&program, &Call { number, audit: machine.audit, arguments: all })
}

#[test]
fn stream_sockets_of_the_internet_are_asked_about() {
    for machine in [X86_64, AARCH64] {
        let socket = |arguments: [u64; 3]| asked(&machine, machine.socket, &arguments);
        for asked_about in [[2, 1, 0], [10, 1, 6], [2, 0x80801, 6], [10, 0x80001, 262]] {
            assert_eq!(socket(asked_about), NOTIFY, "{asked_about:?}");
        }
        for left_alone in [[1, 1, 0], [2, 2, 17], [2, 0x80802, 0], [2, 3, 1], [40, 1, 0], [16, 3, 0], [2, 1, 132]] {
            assert_eq!(socket(left_alone), ALLOW, "{left_alone:?}");
        }
    }
}

#[test]
fn accept_is_asked_about_only_for_a_name() {
    for (address, answer) in [(0, ALLOW), (0x1000, NOTIFY), (0x7f00_0000_0000, NOTIFY), (0xffff_ffff, NOTIFY)] {
        assert_eq!(asked(&X86_64, X86_64.accept4, &[5, address, 0x2000, 0]), answer);
        assert_eq!(asked(&X86_64, X86_64.accept, &[5, address, 0x2000]), answer);
    }
}

#[test]
fn tcp_options_are_answered_on_the_spot_unless_they_promise_something() {
    let set = |level, option| asked(&X86_64, X86_64.setsockopt, &[5, level, option, 0x1000, 4]);
    for harmless in [1, 3, 4, 5, 6, 13, 18] {
        assert_eq!(set(6, harmless), SUCCEED, "TCP option {harmless}");
    }
    // TCP_INFO, TCP_MD5SIG, TCP_REPAIR, TCP_ULP, TCP_AO_ADD_KEY, and what does not exist
    for refused in [11, 14, 19, 31, 38, 99] {
        assert_eq!(set(6, refused), REFUSE_OPTION, "TCP option {refused}");
        assert!(!options::may_set(6, refused as u32));
    }
    assert_eq!((set(1, 2), set(1, 15), set(17, 1), set(0, 11), set(41, 26)), (ALLOW, NOTIFY, ALLOW, ALLOW, NOTIFY));
    assert_eq!(asked(&X86_64, X86_64.setsockopt, &[5 | u64::from(SETTLED) << 32, 41, 26]), ALLOW);
}

#[test]
fn the_data_path_is_never_asked_about() {
    // read, write, close, poll, sendto, recvfrom, sendmsg, recvmsg, shutdown, fcntl, epoll_wait, epoll_ctl, epoll_pwait2
    for number in [0, 1, 3, 7, 44, 45, 46, 47, 48, 72, 232, 233, 441] {
        assert_eq!(asked(&X86_64, number, &[5, 1, 1, 1, 1, 1]), ALLOW, "system call {number}");
    }
}

#[test]
fn every_option_that_is_set_can_be_read() {
    for level in [options::IPPROTO_TCP, options::IPPROTO_IP, options::IPPROTO_IPV6] {
        for option in 0..256 {
            assert!(!options::may_set(level, option) || options::read(level, option).is_some());
        }
    }
    assert_eq!(options::read(6, 11).map(|info| (info.len(), info[0])), Some((240, 1)));
    assert_eq!(options::read(6, 31), None);
}

/// Small numbers, that rules meet often, and any.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..64, Just(0x541b), Just(0x80801), Just(u64::from(SETTLED) << 32 | 5), any::<u64>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]
    #[test]
    fn the_program_does_what_the_rules_say(
        arm: bool,
        foreign in proptest::bool::weighted(0.1),
        number_of in prop_oneof![0u32..320, any::<u32>()],
        arguments in proptest::array::uniform6(number()),
    ) {
        let machine = if arm { AARCH64 } else { X86_64 };
        let audit = if foreign { 0x4000_0003 } else { machine.audit };
        let rules = rules(&machine, &[]);
        let call = Call { number: number_of, audit, arguments };
        prop_assert_eq!(run(&assemble(&machine, &rules), &call), expected(&machine, &rules, &call));
    }

    #[test]
    fn the_library_moves_the_sockets_the_filter_asks_about(domain in 0u32..45, kind in 0u32..0x1_0000, protocol in 0u32..300) {
        let arguments = [domain.into(), kind.into(), protocol.into()];
        let is_asked = asked(&X86_64, X86_64.socket, &arguments) == NOTIFY;
        prop_assert_eq!(moved::birth(domain, kind, protocol).is_some(), is_asked);
    }
}
