// docs/settings.md, made from the table of settings: `mongrel2 --settings` prints it, and the tests
// compare the page with it, so that the two cannot part.
#pragma once

#include <cstdio>

namespace m2 {

// The whole page as Markdown, introduction included. Errors of the stream are the caller's to see
// (ferror).
void print_settings_markdown(std::FILE* out);

}  // namespace m2
