// The tables that the server reads, with the columns of 2010 and the later ones
// (docs/configuration.md has the same list for people). What is not named here is not looked at.
#pragma once

#include <span>
#include <string_view>

namespace m2 {

enum class ColumnKind { kNumber, kText };

struct Column {
  std::string_view name;  // compared without regard to case: 1.0 wrote pid_File
  ColumnKind kind;
  std::string_view fallback;  // for NULL, and for a column that is missing and may be
  bool since_2010;            // it must be there
};

struct Table {
  std::string_view name;
  bool since_2010;  // it must be there
  std::span<const Column> columns;
};

extern const Table kServerTable;
extern const Table kListenerTable;
extern const Table kHostTable;
extern const Table kRouteTable;
extern const Table kDirectoryTable;
extern const Table kProxyTable;
extern const Table kHandlerTable;
extern const Table kSettingTable;
extern const Table kMimetypeTable;
extern const Table kFilterTable;
extern const Table kXrequestTable;

}  // namespace m2
