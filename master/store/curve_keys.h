// Reads the files of CURVE keys that the settings name (docs/security.md). Called by the config
// reader, which is outside the jail; the keys travel in the image.
#pragma once

#include "common/config/model.h"
#include "master/store/finding.h"

namespace m2 {

// Nothing without curve.key_file. Whatever is wrong with a file or a key is an error; a key itself
// never stands in a finding.
void read_curve_keys(const Settings& settings, CurveKeys& keys, Findings& findings);

}  // namespace m2
