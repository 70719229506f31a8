// H02: pragmas that change how the database works, however they are written.
// expect: answers refused
export default ({ ctx }) => {
  for (const pragma of [
    "writable_schema=1", "journal_mode=DELETE", "synchronous=OFF", "mmap_size=1",
      "locking_mode=NORMAL",
    "cache_size=1000000", "page_size=512", "temp_store=2", "wal_checkpoint", "hard_heap_limit=1",
    "max_page_count=1000000", "trusted_schema=1", "schema_version=1", "user_version=1",
    "database_list", "compile_options", "temp_store_directory='/tmp'", "threads=8",
  ]) {
    for (const form of [`PRAGMA ${pragma}`, `PrAgMa/**/main.${pragma}`, `PRAGMA\n"${pragma}"`]) {
      try {
        ctx.storage.sql.exec(form).toArray();
        return form;
      } catch {}
    }
  }
  return "refused";
};
