#include "tools/words/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace cambium::words {

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string Nearest(const std::vector<std::string>& known, std::string_view word) {
  std::pair<size_t, std::string> nearest{static_cast<size_t>(-1), ""};
  for (const std::string& candidate : known) {
    nearest = std::min(nearest, {EditDistance(candidate, word), candidate});
  }
  return nearest.second;
}

}  // namespace cambium::words
