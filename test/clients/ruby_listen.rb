# A stream read with Net::HTTP#read_body: ruby_listen.rb URL OPTIONS (JSON: user, password, headers).
require 'json'
require 'net/http'

$stdout.sync = true
uri = URI(ARGV[0])
options = JSON.parse(ARGV[1])
request = Net::HTTP::Get.new(uri, options.fetch('headers', {}))
request.basic_auth(options['user'], options['password']) if options['user']

Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == 'https') do |http|
  http.request(request) do |response|
    # Two events in one chunk would be no JSON.
    response.read_body { |chunk| puts JSON.generate(JSON.parse(chunk)) }
  end
end
