#!/usr/bin/env python3
"""The lints' own tests: each is given a small tree that breaks one law, and must say so."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import cpp  # noqa: E402
import docs  # noqa: E402
import layers  # noqa: E402
import sizes  # noqa: E402
import tokens  # noqa: E402
import words  # noqa: E402
from tree import LIBRARY, Findings, Tree  # noqa: E402

LAYERS = """
2 tests *
1 wal   util
1 base  util
0 util
"""
HEADER = "// What it is for.\n#ifndef CAMBIUM_{0}_H_\n#define CAMBIUM_{0}_H_\n{1}\n#endif  // CAMBIUM_{0}_H_\n"


class LintTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("docs/layers.txt", LAYERS)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def findings(self, lint):
        found = Findings()
        lint.check(Tree(self.root), found)
        return found.messages

    def assert_one(self, lint, *parts):
        messages = self.findings(lint)
        self.assertEqual(len(messages), 1, messages)
        for part in parts:
            self.assertIn(part, messages[0])


class LayersTest(LintTest):
    def setUp(self):
        super().setUp()
        self.write("util/coding.h", HEADER.format("UTIL_CODING", ""))
        self.write("base/keys.h", HEADER.format("BASE_KEYS", '#include "util/coding.h"'))

    def test_accepts_an_include_that_goes_down(self):
        self.assertEqual(self.findings(layers), [])

    def test_refuses_an_include_that_goes_up(self):
        self.write("util/bad.cc", '#include <vector>\n#include "base/keys.h"\n')
        self.assert_one(layers, "util/bad.cc:2", "util/ (row 0) may not include base/ (row 1)")

    def test_refuses_an_include_that_goes_sideways(self):
        self.write("wal/bad.cc", '#include "base/keys.h"\n')
        self.assert_one(layers, "wal/bad.cc:1", "wal/ (row 1) may not include base/ (row 1)")

    def test_refuses_a_row_that_permits_going_up(self):
        self.write("docs/layers.txt", LAYERS.replace("0 util", "0 util base"))
        self.assert_one(layers, "docs/layers.txt:5", "util (row 0) may not include base (row 1)")

    def test_gives_a_folder_below_a_folder_its_own_row(self):
        self.write("docs/layers.txt", LAYERS.replace("2 tests *", "3 tests *\n2 util/testing util base"))
        self.write("util/testing/double.h", HEADER.format("UTIL_TESTING_DOUBLE", '#include "base/keys.h"'))
        self.write("tests/t.cc", '#include "util/testing/double.h"\n')
        self.assertEqual(self.findings(layers), [])
        self.write("base/bad.cc", '#include "util/testing/double.h"\n')
        self.assert_one(layers, "base/bad.cc:1", "base/ (row 1) may not include util/testing/ (row 2)")

    def test_refuses_a_folder_without_a_row(self):
        self.write("extra/thing.cc", "int x;\n")
        self.assert_one(layers, "'extra' has sources and no row")

    def test_refuses_a_name_that_is_not_in_the_tree(self):
        self.write("wal/bad.cc", '#include "writer.h"\n')
        self.assert_one(layers, '"writer.h" is not in the tree')

    def test_ignores_an_include_inside_a_comment(self):
        self.write("util/good.cc", '// as in\n/*\n#include "base/keys.h"\n*/\n')
        self.assertEqual(self.findings(layers), [])

    def test_keeps_the_c_libraries_behind_util(self):
        self.write("wal/bad.cc", "#include <zstd.h>\n")
        self.assert_one(layers, "zstd.h is included outside util/")


class SizesTest(LintTest):
    def test_refuses_a_function_of_71_lines(self):
        self.write("util/long.cc", "int Long() {\n" + "  Call();\n" * 69 + "}\n")
        self.assert_one(sizes, "util/long.cc:1", "Long: function-lines is 71, the limit is 70")

    def test_accepts_a_function_of_70_lines(self):
        self.write("util/long.cc", "int Long() {\n" + "  Call();\n" * 68 + "}\n")
        self.assertEqual(self.findings(sizes), [])

    def test_refuses_six_parameters(self):
        self.write("util/wide.h", HEADER.format("UTIL_WIDE", "int F(int a, M<int, int> b, int c, int d, int e, int f);"))
        self.assert_one(sizes, "F: parameters is 6")

    def test_refuses_sixteen_members(self):
        members = "".join(f"  int m{i}_ = 0;\n" for i in range(16))
        self.write("util/fat.cc", f"class Fat {{\n public:\n  void F();\n\n private:\n{members}}};\n")
        self.assert_one(sizes, "Fat: class-members is 16")

    def test_refuses_a_bool_parameter_in_a_header(self):
        self.write("util/flag.h", HEADER.format("UTIL_FLAG", "void F(int a, bool sync);"))
        self.assert_one(sizes, "F: bool-parameters is 1")

    def test_refuses_a_friend_that_is_no_operator(self):
        self.write("util/friend.cc", "class A {\n  friend class B;\n  friend bool operator==(const A&, const A&);\n};\n")
        self.assert_one(sizes, "friends is 1")

    def test_refuses_a_header_of_401_lines(self):
        self.write("util/tall.h", HEADER.format("UTIL_TALL", "// more\n" * 396))
        self.assert_one(sizes, "header-lines is 401")

    def test_refuses_sixteen_includes_of_a_header(self):
        self.write("util/wide.h", HEADER.format("UTIL_WIDE", "".join(f"#include <h{i}>\n" for i in range(16))))
        self.assert_one(sizes, "includes is 16")

    def test_refuses_26_files_in_a_folder(self):
        for i in range(26):
            self.write(f"util/f{i}.cc", "\n")
        self.assert_one(sizes, "folder-files is 26")

    def write_library(self, code_lines, line="int a;\n", comments=1):
        for i in range(25):
            count = code_lines // 25 + (i < code_lines % 25)
            self.write(f"util/f{i}.cc", line * count + "\n" + "// why\n" * (count * comments // 4))

    def test_refuses_a_library_of_15001_lines_of_code(self):
        self.write_library(15001, "static_assert(a);\n")
        self.assert_one(sizes, "library-lines is 15001")

    def test_counts_neither_comments_nor_test_doubles(self):
        self.write_library(15000, "static_assert(a);\n")
        self.write("env/testing/double.cc", "int a;\n" * 100)
        self.assertEqual(self.findings(sizes), [])

    def test_refuses_a_library_without_comments(self):
        self.write_library(2000, "assert(a);\n", comments=0)
        self.assert_one(sizes, "comment-percent of the library is 0, at least 18")

    def test_refuses_a_library_without_asserts(self):
        self.write_library(2000)
        self.assert_one(sizes, "asserts-per-thousand of the library is 0, at least 12")

    def test_ratchet_lets_asserts_be_as_few_as_they_are(self):
        self.write_library(2000)
        self.write("docs/ratchet.txt", "asserts-per-thousand library 0\n")
        self.assertEqual(self.findings(sizes), [])

    def test_ratchet_lets_a_listed_function_stay_as_it_is(self):
        self.write("util/long.cc", "int Long() {\n" + "  Call();\n" * 78 + "}\n")
        self.write("docs/ratchet.txt", "function-lines util/long.cc:Long 80\n")
        self.assertEqual(self.findings(sizes), [])

    def test_ratchet_refuses_growth(self):
        self.write("util/long.cc", "int Long() {\n" + "  Call();\n" * 79 + "}\n")
        self.write("docs/ratchet.txt", "function-lines util/long.cc:Long 80\n")
        self.assert_one(sizes, "function-lines is 81, the ratchet allows 80")

    def test_ratchet_follows_what_shrinks(self):
        self.write("util/long.cc", "int Long() {\n" + "  Call();\n" * 73 + "}\n")
        self.write("docs/ratchet.txt", "function-lines util/long.cc:Long 80\n")
        self.assert_one(sizes, "shrank from 80 to 75: write 75 there")

    def test_ratchet_refuses_an_entry_for_nothing(self):
        self.write("docs/ratchet.txt", "function-lines util/gone.cc:Long 80\n")
        self.assert_one(sizes, "is not in the tree")


class TokensTest(LintTest):
    def test_refuses_each_banned_token_and_names_the_replacement(self):
        for code, word in (("std::mutex m;", "util/mutex.h"),
                           ("std::lock_guard<M> l(m);", "util/mutex.h"),
                           ("std::thread t;", "Executor"),
                           ("int f = ::open(path, 0);", "FileSystem"),
                           ("FILE* f = fopen(path, mode);", "FileSystem"),
                           ("std::ifstream in;", "FileSystem"),
                           ("auto n = std::chrono::steady_clock::now();", "Clock"),
                           ("long n = time(nullptr);", "Clock"),
                           ("int r = rand();", "random"),
                           ("char* p = static_cast<char*>(malloc(3));", "make_unique"),
                           ("A* a = new A(3);", "make_unique"),
                           ("void F() { throw 3; }", "absl::Status"),
                           ("using namespace std;", "using-declaration"),
                           ("void F() { std::abort(); }", "absl::Status"),
                           ("void F() { printf(x); }", "does not print")):
            with self.subTest(code):
                self.write("wal/bad.cc", code + "\n")
                self.assert_one(tokens, "wal/bad.cc:1", word)

    def test_refuses_output_of_the_tool_that_nobody_checks(self):
        self.write("tools/cambium/bad.cc", 'void F() { std::printf("lost"); }\n')
        self.assert_one(tokens, "tools/cambium/bad.cc:1", "the Output")

    def test_accepts_what_only_looks_like_a_banned_token(self):
        self.write("wal/good.cc", '// throw new std::mutex\nconst char* s = "malloc(3) new A";\n'
                   "std::unique_ptr<A> a(new A(3));\nstatic const A* const b = new A;\n"
                   "void F() { file->open(); new (place) A; file_system->rename(a, b); }\n")
        self.assertEqual(self.findings(tokens), [])

    def test_accepts_a_token_in_the_folder_that_owns_it(self):
        self.write("env/pool.cc", "std::thread t;\nint f = ::open(path, 0);\n")
        self.assertEqual(self.findings(tokens), [])

    def test_refuses_a_wrong_header_guard(self):
        self.write("wal/writer.h", "// A writer.\n#ifndef WRITER_H\n#define WRITER_H\n#endif\n")
        self.assert_one(tokens, "#ifndef CAMBIUM_WAL_WRITER_H_")

    def test_refuses_a_class_without_its_thread_rule(self):
        self.write("wal/writer.h", HEADER.format("WAL_WRITER", "// Writes.\nclass Writer {\n  int x_;\n};"))
        self.assert_one(tokens, "class Writer", "thread rule")


class WordsTest(LintTest):
    def test_refuses_where_in_headers_only(self):
        self.write("util/coding.h", "// NotFound where there is none.\n")
        self.write("util/coding.cc", "// The place where files are.\n")
        self.write("docs/place.md", "The place where files are.\n")
        self.assert_one(words, "util/coding.h:1", '"where": write if')

    def test_refuses_words_in_comments_of_code(self):
        self.write("wal/writer.cc", "int tell = 1;\nint a;  // what nobody promised\n")
        self.assertEqual([f.split('"')[1] for f in self.findings(words)], ["nobody", "promised"])

    def test_accepts_words_in_code_and_strings(self):
        self.write("wal/writer.cc", 'std::promise<int> promise;\nvoid Tell() { Log("it stands // here"); }\n')
        self.assertEqual(self.findings(words), [])

    def test_refuses_the_verbs_of_persons_in_documents(self):
        self.write("README.md", "It stores.\nGet Answers NotFound.\n")
        self.assert_one(words, "README.md:2", '"Answers": write return')

    def test_leaves_longer_words_alone(self):
        self.write("README.md", "An understanding outstanding bystander foretells nothing.\n")
        self.assertEqual(self.findings(words), [])


class DocsTest(LintTest):
    def setUp(self):
        super().setUp()
        for folder in LIBRARY:
            self.write(f"{folder}/README.md", "# Owns\n")

    def test_refuses_a_link_to_nothing(self):
        self.write("README.md", "See [that](docs/gone.md).\n")
        self.assert_one(docs, "README.md:1", "docs/gone.md, which does not exist")

    def test_refuses_an_anchor_to_nothing(self):
        self.write("README.md", "# One thing\n[a](#one-thing) [b](#two-things)\n")
        self.assert_one(docs, "README.md:2", "#two-things")

    def test_refuses_a_path_of_one_machine(self):
        self.write("README.md", "Run `/home/me/build/x`.\n")
        self.assert_one(docs, "a path of one machine: /home/me/build/x")

    def test_refuses_a_readme_of_61_lines(self):
        self.write("wal/README.md", "line\n" * 61)
        self.assert_one(docs, "wal/README.md", "over 60 lines")


class CppTest(unittest.TestCase):
    def functions(self, text):
        return [(f.name, f.line, f.lines, f.parameters) for f in cpp.parse(Path("x.cc"), text).functions]

    def test_finds_methods_constructors_operators_and_templates(self):
        text = """namespace a {
class B final : public C {
 public:
  explicit B(int x, std::map<int, int> y = {}) : C(x), y_{y}, z_(3) {
    if (x) { Call(); }
  }
  B& operator=(const B&) = delete;
  int get() const ABSL_LOCKS_EXCLUDED(mu_) { return 1; }

 private:
  std::map<int, int> y_ ABSL_GUARDED_BY(mu_);
  int z_ = 0, w_ = 0;
};
template <typename T, int N = 3>
T Make(T (*f)(int), T b)
{
  auto g = [&](int c, int d) { return c + d; };
  return f(b);
}
}  // namespace a
"""
        self.assertEqual(self.functions(text),
                         [("B", 4, 3, 2), ("operator=", 7, 1, 1), ("get", 8, 1, 0), ("Make", 14, 6, 2)])
        classes = cpp.parse(Path("x.cc"), text).classes
        self.assertEqual([(c.name, c.members) for c in classes], [("B", 3)])

    def test_is_not_misled_by_braces_in_literals_and_macros(self):
        text = """#define OPEN {
const char* kBrace = "{";
const char kOther = '{';  // {
const char* kRaw = R"x({ " )x";
const int kBig = 1'000'000;
int F() { return 1; }
"""
        self.assertEqual(self.functions(text), [("F", 6, 1, 0)])


if __name__ == "__main__":
    unittest.main()
