#!/usr/bin/env ruby
# Publishes one message as a JSON line: publish.rb SOCKET CHANNEL DATA
require "json"
require "socket"
require "timeout"

def publish(path, channel, data)
  Timeout.timeout(5) do
    UNIXSocket.open(path) do |control|
      control.puts JSON.generate(channel: channel, data: data)
      answer = JSON.parse(control.gets || '{"error":"no answer"}')
      answer["id"] || raise(answer["error"])
    end
  end
end

begin
  abort "usage: publish.rb SOCKET CHANNEL DATA" unless ARGV.length == 3
  puts publish(*ARGV.map { |argument| argument.dup.force_encoding("UTF-8") })
rescue StandardError => error
  abort "publish: #{error.message}"
end
