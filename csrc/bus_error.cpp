#include "bus_error.h"

#include <stdexcept>

#if defined(__unix__) || defined(__APPLE__)
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#endif

namespace gantk {

#if defined(__unix__) || defined(__APPLE__)

namespace {

constexpr std::size_t kLongest = 1024;

// A handler of signals may not allocate, nor use anything that another thread may be changing.
char before_path[kLongest], after_path[kLongest];

void say(const char* text, std::size_t length) {
    while (length > 0) {
        const auto written = write(STDERR_FILENO, text, length);
        if (written <= 0) return;
        text += written;
        length -= static_cast<std::size_t>(written);
    }
}

// Reads "begin-end rights offset device inode   path\n", the lines of Linux's list of what is mapped.
class Line {
  public:
    // Whether this character ends a line whose range contains the address.
    bool ends_with(char next, std::uintptr_t address) {
        if (next == '\n') {
            const bool found = begin <= address && address < end;
            if (!found) *this = Line{};
            return found;
        }
        if (next == ' ' && field < 5) {
            if (last != ' ') ++field;
        } else if (field == 0 && next == '-') {
            past_begin = true;
        } else if (field == 0) {
            auto& number = past_begin ? end : begin;
            number = number * 16 + static_cast<std::uintptr_t>(next <= '9' ? next - '0' : next - 'a' + 10);
        } else if (field == 5 && length < kLongest && (length > 0 || next != ' ')) {
            path[length++] = controls(next) ? '?' : next;
        }
        last = next;
        return false;
    }

    // Whether a byte of UTF-8 would control a terminal.
    bool controls(char next) const {
        const auto byte = static_cast<unsigned char>(next);
        return byte < 0x20 || byte == 0x7f || (static_cast<unsigned char>(last) == 0xc2 && byte < 0xa0);
    }

    std::uintptr_t begin = 0, end = 0;
    int field = 0;
    bool past_begin = false;
    char last = ' ';
    char path[kLongest] = {};
    std::size_t length = 0;
};

// Where the path of the mapped file is known, it is written.
void say_path(std::uintptr_t address) {
    const int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (maps < 0) return say("a file", 6);
    Line line;
    char piece[kLongest];
    for (auto count = read(maps, piece, sizeof piece); count > 0; count = read(maps, piece, sizeof piece))
        for (decltype(count) i = 0; i < count; ++i)
            if (line.ends_with(piece[i], address)) return line.length ? say(line.path, line.length) : say("a file", 6);
    say("a file", 6);
}

void on_bus_error(int number, siginfo_t* about, void*) {
    if (about->si_code != BUS_ADRERR) {  // not a page that is missing: the same once more, and the system ends this
        signal(number, SIG_DFL);
        return;
    }
    static std::atomic_flag told = ATOMIC_FLAG_INIT;
    while (told.test_and_set()) pause();  // another thread tells it and ends this
    say(before_path, std::strlen(before_path));
    say_path(reinterpret_cast<std::uintptr_t>(about->si_addr));
    say(after_path, std::strlen(after_path));
    _exit(1);
}

}  // namespace

void report_bus_errors(const std::string& before, const std::string& after) {
    if (before.size() >= kLongest || after.size() >= kLongest) throw std::invalid_argument("the text is too long");
    std::strcpy(before_path, before.c_str());
    std::strcpy(after_path, after.c_str());
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGBUS, &action, nullptr);
}

#else

void report_bus_errors(const std::string&, const std::string&) {}

#endif

}  // namespace gantk
