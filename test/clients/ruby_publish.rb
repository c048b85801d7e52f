# Publishes with Net::HTTP: ruby_publish.rb URL OPTIONS (JSON: user, password). The payload is on standard input.
require 'json'
require 'net/http'

uri = URI(ARGV[0])
options = JSON.parse(ARGV[1])
request = Net::HTTP::Put.new(uri, 'Content-Type' => 'application/json')
request.basic_auth(options['user'], options['password']) if options['user']
request.body = $stdin.read

answer = Net::HTTP.start(uri.host, uri.port) { |http| http.request(request) }
puts JSON.generate(status: answer.code.to_i, body: answer.body)
