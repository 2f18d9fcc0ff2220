#include <kernel/dev/tty/line_discipline.hpp>

#include <algorithm>

namespace skep::kernel {

namespace {
constexpr std::uint8_t kNewline = '\n', kReturn = '\r', kTab = '\t', kBell = 7, kBackspace = 8,
                       kDelete = 0x7f;
constexpr std::size_t kTabStop = 8;

bool is_control(std::uint8_t byte) {
    return byte < 0x20 || byte == kDelete;
}
bool is_space(std::uint8_t byte) {
    return byte == ' ' || byte == kTab;
}
// A byte inside a UTF-8 sequence, which is erased with the byte that starts it.
bool is_continuation(std::uint8_t byte) {
    return (byte & 0xc0) == 0x80;
}
}  // namespace

TtySignal LineDiscipline::signal_of(std::uint8_t byte) const {
    if (!(settings_.local & kLocalSignals))
        return TtySignal::None;
    if (settings_.has(byte, kInterrupt))
        return TtySignal::Interrupt;
    if (settings_.has(byte, kQuit))
        return TtySignal::Quit;
    if (settings_.has(byte, kSuspend))
        return TtySignal::Suspend;
    return TtySignal::None;
}

TtySignal LineDiscipline::input(std::uint8_t byte, OutputSink& sink) {
    if (settings_.input & kInputStrip)
        byte &= 0x7f;
    if (literal_) {
        literal_ = false;
        store(byte, kPlain, sink);
        return TtySignal::None;
    }
    const bool extended = settings_.local & kLocalExtended;
    if (extended && settings_.has(byte, kLiteralNext)) {
        literal_ = true;
        return TtySignal::None;
    }
    if (const TtySignal signal = signal_of(byte); signal != TtySignal::None) {
        stopped_ = false;
        if (!(settings_.local & kLocalNoFlush))
            flush_input();
        echo(byte, sink);
        return signal;
    }
    if (settings_.input & kInputStartStop) {
        if (settings_.has(byte, kStop)) {
            stopped_ = true;
            return TtySignal::None;
        }
        if (settings_.has(byte, kStart)) {
            stopped_ = false;
            return TtySignal::None;
        }
        if (settings_.input & kInputAnyRestarts)
            stopped_ = false;
    }
    if (byte == kReturn) {
        if (settings_.input & kInputIgnoreCr)
            return TtySignal::None;
        if (settings_.input & kInputCrToNl)
            byte = kNewline;
    } else if (byte == kNewline && (settings_.input & kInputNlToCr)) {
        byte = kReturn;
    }
    if (!canonical()) {
        store(byte, kPlain, sink);
        return TtySignal::None;
    }
    if (settings_.has(byte, kErase) || settings_.has(byte, kErase2)) {
        erase(sink);
    } else if (extended && settings_.has(byte, kWordErase)) {
        erase_word(sink);
    } else if (settings_.has(byte, kKill)) {
        erase_line(sink);
    } else if (extended && settings_.has(byte, kReprint)) {
        echo(byte, sink);
        put_one(kNewline, sink);
        for (std::size_t i = complete_; i < used_; i++)
            echo(cell(i).byte, sink);
    } else if (settings_.has(byte, kEof)) {
        store(byte, kEndOfFile, sink);
    } else if (byte == kNewline || settings_.has(byte, kEol) || settings_.has(byte, kEol2)) {
        store(byte, kLineEnd, sink);
    } else {
        store(byte, kPlain, sink);
    }
    return TtySignal::None;
}

void LineDiscipline::store(std::uint8_t byte, Mark mark, OutputSink& sink) {
    // One cell stays free in canonical mode so that a line can always be ended.
    const bool ends = mark != kPlain || !canonical();
    if (used_ + (ends ? 0 : 1) >= kInputCapacity) {
        if (settings_.input & kInputBellOnFull)
            put_one(kBell, sink);
        return;
    }
    cell(used_++) = {byte, mark};
    if (ends)
        complete_ = used_;
    if (mark != kEndOfFile)
        echo(byte, sink);
}

void LineDiscipline::echo(std::uint8_t byte, OutputSink& sink) {
    if (!(settings_.local & kLocalEcho)) {
        if (byte == kNewline && (settings_.local & kLocalEchoNl) && canonical())
            put_one(byte, sink);
        return;
    }
    if ((settings_.local & kLocalEchoControl) && is_control(byte) && byte != kNewline &&
        byte != kTab) {
        put_one('^', sink);
        put_one(byte ^ 0x40, sink);
        return;
    }
    put_one(byte, sink);
}

void LineDiscipline::rub_out(std::uint8_t byte, OutputSink& sink) {
    if (!(settings_.local & kLocalEcho))
        return;
    if (!(settings_.local & kLocalErase)) {
        echo(settings_.characters[kErase], sink);
        return;
    }
    std::size_t width = 1;
    if (is_control(byte))
        width = byte == kTab ? 1 : (settings_.local & kLocalEchoControl) ? 2 : 0;
    while (width--)
        for (std::uint8_t out : {kBackspace, std::uint8_t{' '}, kBackspace})
            put_one(out, sink);
}

void LineDiscipline::erase(OutputSink& sink) {
    while (used_ > complete_) {
        const std::uint8_t byte = cell(--used_).byte;
        if (is_continuation(byte))
            continue;
        rub_out(byte, sink);
        return;
    }
}

void LineDiscipline::erase_word(OutputSink& sink) {
    while (used_ > complete_ && is_space(cell(used_ - 1).byte))
        erase(sink);
    while (used_ > complete_ && !is_space(cell(used_ - 1).byte))
        erase(sink);
}

void LineDiscipline::erase_line(OutputSink& sink) {
    if (settings_.local & kLocalEraseLine) {
        while (used_ > complete_)
            erase(sink);
        return;
    }
    used_ = complete_;
    echo(settings_.characters[kKill], sink);
    if (settings_.local & kLocalKill)
        put_one(kNewline, sink);
}

void LineDiscipline::put_one(std::uint8_t byte, OutputSink& sink) {
    output({&byte, 1}, sink);
}

void LineDiscipline::output(std::span<const std::uint8_t> bytes, OutputSink& sink) {
    if (!(settings_.output & kOutputProcess)) {
        sink.put(bytes);
        return;
    }
    static constexpr std::uint8_t kCrNl[] = {kReturn, kNewline};
    static constexpr std::uint8_t kSpaces[] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};
    std::size_t plain = 0;  // start of what needs no translation
    auto flush = [&](std::size_t end) {
        if (end > plain)
            sink.put(bytes.subspan(plain, end - plain));
        plain = end + 1;
    };
    for (std::size_t i = 0; i < bytes.size(); i++) {
        const std::uint8_t byte = bytes[i];
        if (byte == kNewline) {
            if (settings_.output & kOutputNlToCrNl) {
                flush(i);
                sink.put(kCrNl);
            }
            if (settings_.output & (kOutputNlToCrNl | kOutputNlIsCr))
                column_ = 0;
        } else if (byte == kReturn) {
            if ((settings_.output & kOutputNoCrAtColumn0) && column_ == 0) {
                flush(i);
            } else if (settings_.output & kOutputCrToNl) {
                flush(i);
                sink.put({&kNewline, 1});
            } else {
                column_ = 0;
            }
        } else if (byte == kTab) {
            const std::size_t width = kTabStop - column_ % kTabStop;
            column_ += width;
            if (settings_.output & kOutputExpandTabs) {
                flush(i);
                sink.put({kSpaces, width});
            }
        } else if (byte == kBackspace) {
            column_ -= column_ != 0;
        } else if (!is_control(byte) && !is_continuation(byte)) {
            column_++;
        }
    }
    flush(bytes.size());
}

bool LineDiscipline::can_read() const {
    return complete_ != 0;
}

std::size_t LineDiscipline::available() const {
    if (!canonical())
        return complete_;
    std::size_t size = 0;
    while (size < complete_ && cell(size).mark == kPlain)
        size++;
    return size < complete_ && cell(size).mark == kLineEnd ? size + 1 : size;
}

std::size_t LineDiscipline::read(std::span<std::uint8_t> to, bool* end_of_file) {
    *end_of_file = false;
    std::size_t done = 0;
    while (complete_ && done < to.size()) {
        const Cell taken = cell(0);
        if (taken.mark == kEndOfFile && done && canonical())
            break;  // see below: it ends this read, and only this one
        start_ = (start_ + 1) % kInputCapacity;
        used_--;
        complete_--;
        if (taken.mark == kEndOfFile && canonical()) {
            *end_of_file = true;
            return 0;
        }
        to[done++] = taken.byte;
        if (taken.mark == kLineEnd && canonical())
            return done;
    }
    if (done && complete_ && canonical() && cell(0).mark == kEndOfFile) {
        start_ = (start_ + 1) % kInputCapacity;
        used_--;
        complete_--;
    }
    return done;
}

void LineDiscipline::set(const Termios& settings) {
    const bool was_canonical = canonical();
    settings_ = settings;
    if (was_canonical && !canonical())
        complete_ = used_;  // an unfinished line can be read now
    if (!(settings_.input & kInputStartStop))
        stopped_ = false;
}

void LineDiscipline::flush_input() {
    start_ = used_ = complete_ = 0;
    literal_ = false;
}

}  // namespace skep::kernel
