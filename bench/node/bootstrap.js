// Lambda's Runtime API in as few lines as it takes. AWS's own client for Node.js does more and is slower to start, so what is
// measured with this one flatters Node.js.
import http from 'node:http';
import { handler } from './login.js';

const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const options = { hostname, port, agent, method, path: `/2018-06-01/runtime/invocation/${path}` };
    const request = http.request(options, async (response) => {
      let text = '';
      for await (const part of response.setEncoding('utf8')) {
        text += part;
      }
      resolve({ id: response.headers['lambda-runtime-aws-request-id'], text });
    });
    request.on('error', reject).end(body);
  });
}

async function serve() {
  for (;;) {
    const { id, text } = await call('GET', 'next');
    try {
      await call('POST', `${id}/response`, JSON.stringify(await handler(JSON.parse(text))));
    } catch (error) {
      await call('POST', `${id}/error`, JSON.stringify({ errorType: error.name, errorMessage: error.message }));
    }
  }
}

serve();
