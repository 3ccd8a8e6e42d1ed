#!/usr/bin/ruby
# A handler in Ruby: answers every request with its path. Debian: ruby ruby-ffi-rzmq
#   ruby echo.rb SEND_SPEC RECV_SPEC
require 'ffi-rzmq'
require 'json'

requests_at, replies_at = ARGV
context = ZMQ::Context.new
replies = context.socket(ZMQ::PUB)      # the way back first: PUB drops what nobody hears yet
replies.setsockopt(ZMQ::SNDHWM, 100_000)
replies.connect(replies_at)
requests = context.socket(ZMQ::PULL)
requests.connect(requests_at)

def netstring(text)
  size, rest = text.split(':', 2)
  [rest.byteslice(0, size.to_i), rest.byteslice(size.to_i + 1..-1)]
end

loop do
  message = ''
  break if requests.recv_string(message) < 0
  sender, id, path, rest = message.force_encoding('BINARY').split(' ', 4)
  headers, rest = netstring(rest)
  body, = netstring(rest)
  headers = JSON.parse(headers.force_encoding('UTF-8'))
  next if path == '@*'    # a notice of the server: a browser has gone
  text = "Ruby: #{headers['METHOD']} #{path}, #{body.bytesize} bytes\n"
  answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: #{text.bytesize}\r\n\r\n#{text}"
  replies.send_string("#{sender} #{id.bytesize}:#{id}, #{answer}")
end
