// Two passes over the lines of a head: the first looks whether anything must change at all, which
// is rare with backends of today; only then the second writes the head anew.
#include "proto/http/gateway_answer.h"

#include <utility>

#include "proto/http/hop_fields.h"
#include "proto/http/syntax.h"

namespace m2 {
namespace {

using Kind = GatewayAnswerResult::Kind;

struct Line {
  std::string_view text;  // without its line end
  bool bare_lf = false;
};

// False: the blank line, or nothing, is next.
bool next_line(std::string_view& rest, Line& line) {
  const size_t newline = rest.find('\n');
  if (newline == std::string_view::npos) return false;
  line.text = rest.substr(0, newline);
  rest.remove_prefix(newline + 1);
  line.bare_lf = line.text.empty() || line.text.back() != '\r';
  if (!line.bare_lf) line.text.remove_suffix(1);
  return !line.text.empty();
}

struct Field {
  std::string_view name;
  std::string_view value;
  bool usual = false;  // nothing between the name and its colon
};

// False: the line is no field.
bool split_field(std::string_view line, Field& field) {
  size_t at = 0;
  while (at < line.size() && is(line[at], kTokenChar)) ++at;
  field.name = line.substr(0, at);
  while (at < line.size() && is_blank(line[at])) ++at;
  if (field.name.empty() || at == line.size() || line[at] != ':') return false;
  field.usual = field.name.size() == at;
  field.value = trim_blanks(line.substr(at + 1));
  return true;
}

class AnswerHead {
 public:
  explicit AnswerHead(const GatewayAnswer& answer) : answer_(answer) {
    std::string_view rest = answer.head;
    Line line;
    (void)next_line(rest, line);  // ResponseReader has seen a status line
    status_line_ = line.text;
    fields_ = rest;
    bare_lf_ = line.bare_lf;
    status_ = static_cast<unsigned>((status_line_[9] - '0') * 100 + (status_line_[10] - '0') * 10 +
                                    (status_line_[11] - '0'));
    // RFC 9112 6.1, RFC 9110 8.6: these have no body and no length. A client of 1.0 knows no
    // coding.
    bodiless_ = status_ < 200 || status_ == 204;
    switches_ = status_ == 101 || status_ == 426;
  }

  GatewayAnswerResult look() {
    std::string_view rest = fields_;
    Line line;
    Field field;
    bool first = true;
    while (next_line(rest, line)) {
      bare_lf_ |= line.bare_lf;
      if (is_blank(line.text.front())) {
        if (first) return bad("blank in front of the first field of the answer (RFC 9112 2.2)");
        folded_ = true;
        continue;
      }
      first = false;
      if (!split_field(line.text, field)) {
        return bad("a line of the answer's head is not a field (RFC 9112 5)");
      }
      unusual_ |= !field.usual;
      if (const std::string_view wrong = note(field); !wrong.empty()) return bad(wrong);
    }
    bare_lf_ |= line.bare_lf;
    const bool changes = must_edit() || must_add();
    return {changes ? Kind::kWritten : Kind::kAsItIs, !options_.empty()};
  }

  void write(std::string& out) const {
    if (must_edit()) {
      edit(out);
    } else {
      out.assign(answer_.head.substr(0, answer_.head.size() - 2));
    }
    if (adds_date()) out.append("Date: ").append(answer_.date).append("\r\n");
    if (switches_ && has_upgrade_) {
      out.append("Connection: ");
      out.append(answer_.connection.find("close") == std::string_view::npos ? "" : "close, ");
      out.append("Upgrade\r\n");
    } else if (status_ >= 200) {
      out.append(answer_.connection);
    }
    out.append("\r\n");
  }

 private:
  static GatewayAnswerResult bad(std::string_view reason) { return {Kind::kBad, false, reason}; }

  // The status line and the fields that stay.
  void edit(std::string& out) const {
    out.assign("HTTP/1.1").append(status_line_.substr(8)).append("\r\n");
    std::string_view rest = fields_;
    Line line;
    Field field;
    bool length_seen = false;
    bool dropped = false;
    while (next_line(rest, line)) {
      if (is_blank(line.text.front())) {  // folded: one space instead (RFC 9112 5.2)
        if (dropped) continue;
        out.resize(out.size() - 2);
        out.append(" ").append(trim_blanks(line.text)).append("\r\n");
        continue;
      }
      if (!split_field(line.text, field)) continue;  // look() has refused it
      dropped = drops(field, length_seen);
      if (dropped) continue;
      if (field.usual) {
        out.append(line.text).append("\r\n");
      } else {
        out.append(field.name).append(": ").append(field.value).append("\r\n");
      }
    }
  }

  // What is wrong with it; "": nothing.
  std::string_view note(const Field& field) {
    switch (ascii_lower(field.name.front())) {
      case 'c':
        if (equals_ignore_case(field.name, "content-length")) {
          lengths_ += 1;
        } else if (equals_ignore_case(field.name, "connection")) {
          hop_ = true;
          if (!options_.add(field.value)) return "Connection of the answer names too many fields";
        }
        return {};
      case 'd':
        has_date_ |= equals_ignore_case(field.name, "date");
        return {};
      case 't':
        if (equals_ignore_case(field.name, "transfer-encoding")) return note_coding(field.value);
        hop_ |= is_hop_field(field.name);
        return {};
      case 'u':
        if (equals_ignore_case(field.name, "upgrade")) has_upgrade_ = hop_ = true;
        return {};
      case 'k':
      case 'p':
        hop_ |= is_hop_field(field.name);
        return {};
      default:
        return {};
    }
  }

  // No backend was told that we know another coding (RFC 9112 7.4), and no client has told us.
  std::string_view note_coding(std::string_view value) {
    if (!equals_ignore_case(value, "chunked")) {
      return "Transfer-Encoding of the answer is not chunked alone (RFC 9112 7.4)";
    }
    coded_ = true;
    return {};
  }

  bool adds_date() const { return status_ >= 200 && !has_date_ && !answer_.date.empty(); }

  bool must_add() const { return adds_date() || (status_ >= 200 && !answer_.connection.empty()); }

  bool must_edit() const {
    return hop_ || bare_lf_ || folded_ || unusual_ || lengths_ > 1 || status_line_[7] != '1' ||
           (coded_ && (answer_.drop_coding || bodiless_)) || (lengths_ > 0 && bodiless_);
  }

  bool drops(const Field& field, bool& length_seen) const {
    if (equals_ignore_case(field.name, "transfer-encoding")) {
      return answer_.drop_coding || bodiless_;
    }
    if (equals_ignore_case(field.name, "content-length")) {
      // Two that say the same become one (RFC 9112 6.3).
      return bodiless_ || std::exchange(length_seen, true);
    }
    if (switches_ && equals_ignore_case(field.name, "upgrade")) return false;
    return is_hop_field(field.name) || options_.names(field.name);
  }

  const GatewayAnswer& answer_;
  std::string_view status_line_;
  std::string_view fields_;
  unsigned status_ = 0;
  unsigned lengths_ = 0;
  bool bodiless_ = false;
  bool switches_ = false;
  bool has_upgrade_ = false;
  bool has_date_ = false;
  bool coded_ = false;
  bool hop_ = false;  // a field for this hop only is there
  bool bare_lf_ = false;
  bool folded_ = false;
  bool unusual_ = false;  // a blank before a colon (RFC 9112 5.1)
  ConnectionOptions options_;
};

}  // namespace

GatewayAnswerResult write_gateway_answer(const GatewayAnswer& answer, std::string& out) {
  AnswerHead head(answer);
  const GatewayAnswerResult result = head.look();
  if (result.kind == Kind::kWritten) head.write(out);
  return result;
}

}  // namespace m2
