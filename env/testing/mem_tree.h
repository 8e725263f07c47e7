// MemFile and MemDirectory: what MemFileSystem's tree is made of, and how a power cut changes them.
//
// Both hold two states: what was synced, and what a running process sees, with the list of changes
// that lead from the one to the other. All calls are made under the mutex of the file system that
// owns the tree.
#ifndef CAMBIUM_ENV_TESTING_MEM_TREE_H_
#define CAMBIUM_ENV_TESTING_MEM_TREE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "env/testing/cow_ptr.h"
#include "env/testing/crash_policy.h"
#include "env/testing/mem_content.h"
#include "env/testing/splitmix.h"

namespace cambium::env {

// Anonymous memory, zeros at first, released with its owner. Immutable after construction.
class MemMapping {
 public:
  // `size` is not 0.
  explicit MemMapping(uint64_t size);
  MemMapping(const MemMapping&) = delete;
  MemMapping& operator=(const MemMapping&) = delete;
  ~MemMapping();

  // Null where there was no memory.
  char* data() const { return data_; }

 private:
  const uint64_t size_;
  char* data_;
};

// One file, whatever its names. Thread-compatible.
class MemFile {
 public:
  MemFile() = default;
  // A file all of whose bytes are on disk.
  explicit MemFile(MemContent content) : synced_(content), current_(std::move(content)) {}

  uint64_t size() const { return current_.size(); }
  uint64_t synced_size() const { return synced_.size(); }
  bool dirty() const { return unsynced_.get() != nullptr && !unsynced_.get()->empty(); }

  void Write(uint64_t offset, std::string_view data);
  void Resize(uint64_t size);
  void Sync();
  size_t Read(uint64_t offset, char* buffer, size_t size) const;

  // Gives the whole file, which has a size and no byte written yet, as memory until Unmap(); null
  // where there was no memory. Meanwhile the memory is the content, and Absorb() turns what was
  // stored into unsynced writes, page by page.
  char* Map();
  void Absorb();
  void Unmap();

  // The file that the next process finds after a crash now: all of it on disk after a power cut,
  // synced as far as it was after a crash of the process. Absorb() first.
  std::shared_ptr<MemFile> AfterCrash(CrashPolicy policy, SplitMix* random) const;

  // How many entries of current directories name this file.
  int links = 0;

 private:
  // A write of `data`, or, where that is null, a cut or extension to `offset` bytes.
  struct Change {
    uint64_t offset;
    CowPtr<std::string> data;
  };

  MemContent AfterCut(CrashPolicy policy, SplitMix* random) const;
  MemContent PrefixOfChanges(SplitMix* random) const;
  // `unit` bytes survive or vanish together.
  MemContent RandomUnits(size_t unit, SplitMix* random) const;
  MemContent WithGarbageTail(SplitMix* random) const;

  MemContent synced_;
  MemContent current_;
  CowPtr<std::vector<Change>> unsynced_;
  std::unique_ptr<MemMapping> mapping_;
};

class MemDirectory;

// One crash: what is drawn for it, and the images made so far, so that a file of two names stays
// one file. Confined to the call that crashes a tree.
struct CrashImages {
  CrashPolicy policy;
  SplitMix random;
  std::unordered_map<const MemFile*, std::shared_ptr<MemFile>> files = {};
  std::unordered_map<const MemDirectory*, std::shared_ptr<MemDirectory>> directories = {};
};

// What an entry leads to: exactly one of the two.
struct MemNode {
  std::shared_ptr<MemFile> file;
  std::shared_ptr<MemDirectory> directory;
};

// Thread-compatible.
class MemDirectory {
 public:
  using Entries = std::map<std::string, MemNode, std::less<>>;

  const Entries& entries() const { return current_; }
  size_t unsynced_changes() const { return unsynced_.size(); }

  // Null where there is none of that name. Valid until the next change.
  const MemNode* Find(std::string_view name) const;
  // Puts `node` at `name`, over what is there.
  void Set(std::string_view name, MemNode node);
  void Erase(std::string_view name);
  // Set and Erase in one: a cut leaves both or neither.
  void Move(std::string_view from, std::string_view to);
  void Sync();

  // The directory that the next process finds after a crash now, and all below it. Its files'
  // `links` are set.
  std::shared_ptr<MemDirectory> AfterCrash(CrashImages* images) const;

 private:
  // Erases `erased` and sets `name`, each where not empty.
  struct Change {
    std::string erased;
    std::string name;
    MemNode node;
  };
  static void Apply(const Change& change, Entries* entries);
  void Do(Change change);
  Entries EntriesAfterCut(CrashImages* images) const;

  Entries synced_;
  Entries current_;
  std::vector<Change> unsynced_;
};

}  // namespace cambium::env

#endif  // CAMBIUM_ENV_TESTING_MEM_TREE_H_
