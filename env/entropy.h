// Random bytes from the operating system: for unique names, never for decisions.
#ifndef CAMBIUM_ENV_ENTROPY_H_
#define CAMBIUM_ENV_ENTROPY_H_

#include <cstdint>
#include <span>

namespace cambium::env {

void FillRandom(std::span<uint8_t> bytes);

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_ENTROPY_H_
