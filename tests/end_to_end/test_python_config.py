# Goal: both configuration languages say the same, keep their order, and point at what is wrong.
# Method: files are read with the loader; the objects are looked at, or the message is.
import pytest

from lib import m2sh_tools
from mongrel2 import config, loader

MANUAL = '''
from mongrel2.config import *
main = Server(uuid="2f62bd5", access_log="/logs/access.log", error_log="/logs/error.log",
              chroot="./", pid_file="/run/mongrel2.pid", default_host="mongrel2.org", name="main",
              port=6767)
test_directory = Dir(base='tests/', index_file='index.html', default_ctype='text/plain')
web_app_proxy = Proxy(addr='127.0.0.1', port=80)
chat_demo = Handler(send_spec='tcp://127.0.0.1:9999', send_ident='54c6755b',
                    recv_spec='tcp://127.0.0.1:9998', recv_ident='')
mongrel2 = Host(name="mongrel2.org", routes={
    r'@chat': chat_demo,
    r'/chat/': web_app_proxy,
    r'/': web_app_proxy,
    r'/tests/': test_directory,
    r'/testsmulti/(.*.json)': test_directory,
    r'/img/(\\d+\\.jpg)': Dir(base='img/', index_file=''),
})
main.hosts.add(mongrel2)
settings = {"zeromq.threads": 1, "upload.temp_store": None, "server.daemonize": False}
commit([main], settings=settings)
'''

OLD = r'''
# The same in the language of 1.x; targets come after they are used.
servers = [main]
settings = {"zeromq.threads": 1, "server.daemonize": 0}
main = Server(
    uuid="2f62bd5" access_log="/logs/access.log" error_log="/logs/error.log"
    chroot="./", pid_file="/run/mongrel2.pid", default_host="mongrel2.org", name="main", port=6767,
    hosts=[Host(name="mongrel2.org", routes={
        '@chat': chat_demo
        '/chat/': web_app_proxy,
        '/': web_app_proxy,  # a comment
        '/tests/': test_directory
        '/testsmulti/(.*.json)': test_directory
        '/img/(\d+\.jpg)': Dir(base='img/' index_file='')
    })]
)
test_directory = Dir(base='tests/', index_file='index.html', default_ctype='text/plain')
web_app_proxy = Proxy(addr='127.0.0.1', port=80)
chat_demo = Handler(send_spec='tcp://127.0.0.1:9999', send_ident='54c6755b',
                    recv_spec='tcp://127.0.0.1:9998', recv_ident='')
# the end'''


def read(folder, text, name="conf.py"):
    path = folder / name
    path.write_text(text)
    return loader.read(str(path))


def fault(folder, text, name="conf.py"):
    with pytest.raises(config.ConfigError) as caught:
        read(folder, text, name)
    return str(caught.value).replace(str(folder) + "/", "")


def describe(commit):
    """Everything that a database would be made of, shared targets by their number."""
    numbers = {}
    servers = []
    for server in commit.servers:
        hosts = []
        for host in server.hosts:
            routes = []
            for route in host.routes:
                number = numbers.setdefault(id(route.target), len(numbers))
                routes.append((route.path, number, repr(route.target)))
            hosts.append((host.name, host.matching, routes))
        servers.append((server.uuid, server.name, server.port, server.chroot, server.bind_addr,
                        server.default_host, hosts))
    return servers, commit.settings


def test_both_languages_say_the_same(tmp_path):
    python, old = read(tmp_path, MANUAL), read(tmp_path, OLD, "mongrel2.conf")
    assert describe(python) == describe(old)
    servers, settings = describe(python)
    (_, _, _, _, bind_addr, _, hosts), = servers
    assert bind_addr == "0.0.0.0"
    assert settings == {"zeromq.threads": "1", "server.daemonize": "0"}
    routes = hosts[0][2]
    assert [path for path, _, _ in routes] == [
        "@chat", "/chat/", "/", "/tests/", "/testsmulti/(.*.json)", r"/img/(\d+\.jpg)"]
    assert [number for _, number, _ in routes] == [0, 1, 1, 2, 2, 3]  # shared ones are the same


def test_the_manner_of_1x_in_a_python_file(tmp_path):
    text = f"main = {m2sh_tools.server_text()}\nservers = [main]\nsettings = {{'a': 'b'}}\n" \
           "mimetypes = {'.x': 'a/b'}\n"
    commit = read(tmp_path, text)
    assert [server.uuid for server in commit.servers] == ["u-1"]
    assert commit.settings == {"a": "b"} and commit.mimetypes == {".x": "a/b"}


def test_a_file_that_imports_is_python_whatever_its_name(tmp_path):
    text = f"from mongrel2.config import *\ncommit([{m2sh_tools.server_text()}] * (1 + 0))\n"
    assert len(read(tmp_path, text, "site.conf").servers) == 1


def test_hosts_and_routes_can_be_attached_afterwards(tmp_path):
    commit = read(tmp_path, f'''
from mongrel2.config import *
main = {m2sh_tools.server_text()}
files = Dir("a/", "i")
second = Host("second", server=main)
third = Host("third", matching="(.*).third")
third.server = main
main.hosts.add(third)
Route("/x", files, host=second)
second.routes.add(Route("/y", files, reversed=True))
main.port = 99
commit([main], settings={{"a": 1}})
commit([{m2sh_tools.server_text(uuid="u-2")}], settings={{"a": 2}})
''')
    main, other = commit.servers
    assert [host.name for host in main.hosts] == ["localhost", "second", "third"]
    routes = [(route.path, route.reversed) for route in main.hosts[1].routes]
    assert routes == [("/x", 0), ("/y", 1)]
    assert main.hosts[2].matching == "(.*).third" and main.hosts[1].matching == "second"
    assert (main.port, other.uuid, commit.settings) == (99, "u-2", {"a": "2"})


def test_include_runs_a_file_beside_this_one(tmp_path):
    (tmp_path / "shared.py").write_text("from mongrel2.config import *\nfiles = Dir('inc/', 'i')\n")
    commit = read(tmp_path, f'''
from mongrel2.config import *
shared = include("m2_shared_targets", "shared.py")
import m2_shared_targets
assert m2_shared_targets is shared
main = {m2sh_tools.server_text()}
main.hosts.add(Host("b", routes={{"/": shared.files}}))
commit([main])
''')
    assert commit.servers[0].hosts[1].routes[0].target.base == "inc/"
    with pytest.raises(ImportError):
        import m2_shared_targets  # noqa: F401  (the load is over)
    assert "conf.py:1" in fault(tmp_path, "include('m2_none', 'none.py')")
    assert "exists" in fault(tmp_path, "include('os', 'shared.py')")


def test_a_commit_needs_a_load():
    with pytest.raises(config.ConfigError, match="m2sh load"):
        config.commit([])


@pytest.mark.parametrize("text, expected", [
    ("x = Dir('a/', 'i')\ny = Proxy('a', '80')", "conf.py:2: Proxy a: port='80' must be a whole"),
    ("Proxy('a', -1)", "conf.py:1: Proxy a: port=-1 must be from 0"),
    ("Dir(b'a', 'i')", "conf.py:1: Dir: base=b'a' must be text"),
    ("Host('h', routes={'/': 'a'})", "conf.py:1: Route /: 'a' is not a Dir, Proxy or Handler"),
    ("Host('h', routes=5)", "conf.py:1: Host h: routes=5 must be a dict"),
    ("Server('u', 'a', 'e', 'c', 'h')", "conf.py:1: Server u: pid_file= is missing"),
    ("commit([1])", "conf.py:1: commit: 1 is not a Server"),
    ("commit(5)", "conf.py:1: commit: the servers must be a list"),
    ("commit([], settings={'a': []})", "conf.py:1: settings: a=[] must be text or a number"),
    ("commit([], mimetypes={'txt': 'a/b'})", "conf.py:1: mimetypes: 'txt'"),
    ("\nx = nothing", "conf.py:2: NameError"),
    ("x = (", "conf.py:1: "),
    ("import sys; sys.exit(3)", "conf.py ended itself with sys.exit(3)"),
    ("x = 1", "conf.py commits no server"),
    ("raise KeyboardInterrupt", None),
])
def test_faults_of_python_files(tmp_path, text, expected):
    if expected is None:
        with pytest.raises(KeyboardInterrupt):
            read(tmp_path, text)
    else:
        assert fault(tmp_path, text).startswith(expected)


def test_attributes_set_to_nonsense_are_found_at_the_commit(tmp_path):
    text = f"main = {m2sh_tools.server_text()}\nmain.port = 'x'\ncommit([main])"
    assert "port='x' must be a whole number" in fault(tmp_path, text)


def test_two_servers_with_one_uuid(tmp_path):
    text = f"commit([{m2sh_tools.server_text()}, {m2sh_tools.server_text(name='b')}])"
    assert "a second server has this uuid" in fault(tmp_path, text)


@pytest.mark.parametrize("text, place, expected", [
    ("a = 1\nb = ;", "2:5", "unexpected character ';'"),
    ("a = -1", "1:5", "unexpected character '-'"),
    ("a = 1.5", "1:6", "unexpected character '.'"),
    ("a = 'never", "1:5", "this string never ends"),
    ("a = [1, 2\nb = 3", "2:3", "expected a value, found '='"),
    ("a = [1, [2, 3]", "1:5", "this '[' is never closed"),
    ("a 1", "1:3", "expected '=' after a, found '1'"),
    ("a =", "1:4", "expected a value, found the end of the file"),
    ("a = {1: 2}", "1:6", "expected a key in quotes"),
    ("a = 9999999999999999999", "1:5", "a number has at most"),
    ("servers = [b]", "1:12", "there is no variable named b"),
    ("a = b b = a servers = []", "1:11", "the variable a is made of itself"),
    ("servers = [] x = Foo(a=1)", "1:18", "there is no Foo(...)"),
    ("servers = [] x = Dir(base='a' base='b')", "1:31", "base is given twice"),
    ("servers = [] x = Dir(base='a')", "1:18", "Dir needs index_file"),
    ("servers = []\n\tx = Proxy(addr='a' port='80')", "2:6", "Proxy a: port='80' must be"),
    ("servers = 5", "1:11", "the servers must be a list"),
    ("servers = [] settings = [1]", "1:25", "settings=[1] must be a dict"),
])
def test_faults_of_1x_files(tmp_path, text, place, expected):
    message = fault(tmp_path, text, "x.conf")
    assert message.startswith(f"x.conf:{place}: ") and expected in message
    row, column = (int(number) for number in place.split(":"))
    _, line, caret = message.split("\n")
    assert line[2:] == text.split("\n")[row - 1] and caret.index("^") == column - 1 + 2


# Goal: words that this version does not know are a warning that points at them, and the rest
# counts. Method: a server with such a word, one with a mistake in what is ignored.
def test_unknown_words_of_1x_files(tmp_path, capsys):
    text = OLD.replace("main = Server(", "main = Server(\n\twings=2, ")
    commit = read(tmp_path, text, "x.conf")
    assert describe(commit) == describe(read(tmp_path, OLD, "x.conf"))
    first, line, caret = capsys.readouterr().err.rstrip("\n").split("\n")
    assert first.startswith("warning: ") and "x.conf:6:8: Server has no wings, which is" in first
    assert line.index("2") == caret.index("^")
    assert "no variable named nobody" in fault(
        tmp_path, text.replace("wings=2", "wings=nobody"), "x.conf")


# Goal: without a chroot a 1.x file means none: paths are what they are.
def test_1x_files_without_a_chroot(tmp_path):
    text = OLD.replace('chroot="./", ', "")
    assert "chroot" not in text
    assert read(tmp_path, text, "x.conf").servers[0].chroot == ""


def test_1x_files_without_servers(tmp_path):
    assert "no servers = [...]" in fault(tmp_path, "a = 1", "x.conf")


def test_deep_nesting_is_refused_and_not_fallen_over(tmp_path):
    assert "nested deeper" in fault(tmp_path, "a = " + "[" * 5000, "x.conf")
    chain = "\n".join(f"a{i} = a{i + 1}" for i in range(5000)) + "\na5000 = 1\nservers = [a0]"
    assert "more than" in fault(tmp_path, chain, "x.conf")


def test_backslashes_stay_and_guard_quotes(tmp_path):
    text = r'''x = Dir(base='/a\'b', index_file="\\")
servers = [Server(uuid='u', access_log='', error_log='', default_host='h', pid_file='p', port=1,
  hosts=[Host(name='h', routes={'/': x})])]'''
    target = read(tmp_path, text, "x.conf").servers[0].hosts[0].routes[0].target
    assert (target.base, target.index_file) == (r"/a\'b", r"\\")


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(config.ConfigError, match="not readable"):
        loader.read(str(tmp_path / "none.py"))
    (tmp_path / "x.conf").write_bytes(b"a = '\xff'")
    with pytest.raises(config.ConfigError, match="byte 5 is not UTF-8"):
        loader.read(str(tmp_path / "x.conf"))
