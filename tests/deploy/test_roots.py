"""aws-connector/check-roots against a page like Amazon's, on this machine: of what is pinned, and of what is not."""

import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stack

PINNED = stack.ROOT / "aws-connector/src/amazon-roots.pem"
END = "-----END CERTIFICATE-----\n"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def repository(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    (tmp_path / "repository").mkdir()
    yield tmp_path / "repository", f"http://127.0.0.1:{server.server_port}/repository/"
    server.shutdown()
    server.server_close()


def pinned():
    return [certificate[certificate.index("-----BEGIN") :] + END for certificate in PINNED.read_text().split(END)[:-1]]


def root(folder, name, issuer=None):
    """A certificate with a new key, of its own or of another authority."""
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9999"]
    signed = ["-CA", folder / f"{issuer}.pem", "-CAkey", folder / f"{issuer}.key"] if issuer else []
    files = ["-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem", "-subj", f"/C=US/O=Amazon/CN={name}"]
    subprocess.run([*new, *signed, *files], check=True, capture_output=True)
    return (folder / f"{name}.pem").read_text()


def publish(folder, certificates):
    links = []
    for number, certificate in enumerate(certificates):
        (folder / f"root{number}.pem").write_text(certificate)
        # Some links name the file, others its whole path.
        links.append(f'<a href="{"" if number % 2 else "/repository/"}root{number}.pem">PEM</a>')
    (folder / "index.html").write_text(f"<table>{''.join(links)}</table>")


def check(url):
    ended = subprocess.run([stack.ROOT / "aws-connector/check-roots", url], capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout, ended.stderr


def test_the_roots_that_are_published_are_those_that_are_pinned(repository):
    folder, url = repository
    publish(folder, pinned())
    code, out, err = check(url)
    assert (code, err) == (0, "")
    assert out.count("ok         CN=") == 5


def test_a_new_root_has_to_be_added(repository, tmp_path):
    folder, url = repository
    publish(folder, [*pinned(), root(tmp_path, "Amazon Root CA 5")])
    code, out, _ = check(url)
    assert code == 1 and "new        CN=Amazon Root CA 5,O=Amazon,C=US, key " in out


def test_a_root_that_is_gone_is_told(repository):
    folder, url = repository
    publish(folder, pinned()[1:])
    code, out, _ = check(url)
    assert code == 1 and out.count("withdrawn") == 1 and "withdrawn  CN=Amazon Root CA 1" in out


def test_roots_of_the_sovereign_cloud_and_intermediates_are_left_out(repository, tmp_path):
    folder, url = repository
    european = root(tmp_path, "Amazon Root EU M1")
    intermediate = root(tmp_path, "Amazon RSA 2048 M09", issuer="Amazon Root EU M1")
    publish(folder, [*pinned(), european, intermediate])
    code, out, _ = check(url)
    assert code == 0 and "left out   CN=Amazon Root EU M1" in out and "M09" not in out


def test_a_page_of_another_form_is_no_success(repository):
    folder, url = repository
    (folder / "index.html").write_text("<p>We have moved.</p>")
    code, _, err = check(url)
    assert code == 1 and "compare by hand" in err


def test_a_page_that_is_not_there_is_no_success(repository):
    _, url = repository
    assert check(url + "moved.html")[0] != 0
