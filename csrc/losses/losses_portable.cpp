#include "losses/loops.h"

namespace gantk::losses {

const Kernels kPortable = kernels();

}  // namespace gantk::losses
