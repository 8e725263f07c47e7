// Opens a database, writes one value, reads it back.
#include <cambium/db.h>

#include <iostream>

int main(int argc, char** argv) {
  auto db = cambium::DB::Open({}, argc > 1 ? argv[1] : "hello.db");
  if (!db.ok() || !(*db)->Put("greeting", "hello, world").ok()) return 1;
  std::cout << (*db)->Get("greeting").value_or("nothing") << "\n";
}
