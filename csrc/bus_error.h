// What is said when a page of a mapped file cannot be read.
#pragma once

#include <string>

namespace gantk {

// Ends the process, from now on, with `before`, the file's path, `after`, and the exit status 1 where the system would
// end it with SIGBUS: it was cut short, or its disk failed, after it was mapped into memory. Other bus errors, and
// systems other than those of POSIX, stay as they are. Throws std::invalid_argument if a text is too long.
void report_bus_errors(const std::string& before, const std::string& after);

}  // namespace gantk
