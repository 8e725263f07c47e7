// MemFile and MemDirectory: the nodes of MemFileSystem's tree, and the effect of a power cut on
// them.
//
// Both have two states: the synced one, and the one that a running process sees, with the list of
// changes between the two. All calls are made under the mutex of the file system that owns the
// tree.
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

// Anonymous memory, initially zero, freed with its owner. Immutable after construction.
class MemMapping {
 public:
  // `size` must not be 0.
  explicit MemMapping(uint64_t size);
  MemMapping(const MemMapping&) = delete;
  MemMapping& operator=(const MemMapping&) = delete;
  ~MemMapping();

  // Returns null if there was no memory.
  char* data() const { return data_; }

 private:
  const uint64_t size_;
  char* data_;
};

// One file, regardless of its names. Thread-compatible.
class MemFile {
 public:
  MemFile() = default;
  // Creates a file whose bytes are all on disk.
  explicit MemFile(MemContent content) : synced_(content), current_(std::move(content)) {}

  uint64_t size() const { return current_.size(); }
  uint64_t synced_size() const { return synced_.size(); }
  bool dirty() const { return unsynced_.get() != nullptr && !unsynced_.get()->empty(); }

  void Write(uint64_t offset, std::string_view data);
  void Resize(uint64_t size);
  void Sync();
  size_t Read(uint64_t offset, char* buffer, size_t size) const;

  // Maps the whole file, which has a size and no written byte yet, as memory until Unmap(); returns
  // null if there is no memory. While it is mapped, the memory is the content, and Absorb()
  // converts stores to unsynced writes, page by page.
  char* Map();
  void Absorb();
  void Unmap();

  // Returns the file that the next process finds after a crash now: after a power cut all of it is
  // on disk, and after a process crash it keeps its synced state. Call Absorb() first.
  std::shared_ptr<MemFile> AfterCrash(CrashPolicy policy, SplitMix* random) const;

  // The number of entries of current directories that refer to this file.
  int links = 0;

 private:
  // A write of `data`, or, if that is null, a truncation or extension to `offset` bytes.
  struct Change {
    uint64_t offset;
    CowPtr<std::string> data;
  };

  MemContent AfterCut(CrashPolicy policy, SplitMix* random) const;
  MemContent PrefixOfChanges(SplitMix* random) const;
  // Each unit of `unit` bytes survives or is lost as a whole.
  MemContent RandomUnits(size_t unit, SplitMix* random) const;
  MemContent WithGarbageTail(SplitMix* random) const;

  MemContent synced_;
  MemContent current_;
  CowPtr<std::vector<Change>> unsynced_;
  std::unique_ptr<MemMapping> mapping_;
};

class MemDirectory;

// One crash: its random numbers, and the images made so far, so that a file with two names stays
// one file. Confined to the call that crashes a tree.
struct CrashImages {
  CrashPolicy policy;
  SplitMix random;
  std::unordered_map<const MemFile*, std::shared_ptr<MemFile>> files = {};
  std::unordered_map<const MemDirectory*, std::shared_ptr<MemDirectory>> directories = {};
};

// The target of an entry: exactly one of the two.
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

  // Returns null if the name does not exist. Valid until the next change.
  const MemNode* Find(std::string_view name) const;
  // Sets `name` to `node`, and replaces an existing entry.
  void Set(std::string_view name, MemNode node);
  void Erase(std::string_view name);
  // Combines Set and Erase: a power cut leaves both or neither.
  void Move(std::string_view from, std::string_view to);
  void Sync();

  // Returns the directory that the next process finds after a crash now, and everything below it.
  // Sets `links` of its files.
  std::shared_ptr<MemDirectory> AfterCrash(CrashImages* images) const;

 private:
  // Erases `erased` and sets `name`, each if not empty.
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
