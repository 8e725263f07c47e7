#include "env/entropy.h"

#include <random>

namespace cambium::env {

void FillRandom(std::span<uint8_t> bytes) {
  std::random_device entropy;
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(entropy());
}

}  // namespace cambium::env
