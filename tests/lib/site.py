"""A server with a route /h, a handler of the test's own behind it, and clients whose requests that
handler has."""


class Site:
    def __init__(self, deployment, server, on):
        self.deployment, self.server, self.on = deployment, server, on

    def client(self, path="/h", **more):
        """A client whose request the handler has; client.id is its id."""
        return self.told(self.server.client().send_request(path=path, **more))

    def told(self, client):
        """The same for one that has sent its request by itself."""
        client.id = self.on.recv_request().id
        return client
