// Requests to the Rolegate this page came from. The password of the operator lives in this memory
// alone and is forgotten with the page.

const answerLimit = 4000; // ms that one answer may take

let credentials = null; // "Basic ..." once somebody has signed in

function basic(user, password) {
  const bytes = new TextEncoder().encode(user + ":" + password);
  return "Basic " + btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(""));
}

// {status, body}: body is the parsed JSON or null, or with `read: "text"` the text. Throws when
// nobody answers.
async function ask(path, {method = "GET", body = null, as = credentials, read = "json"} = {}) {
  const headers = {"X-Requested-With": "rolegate-page"};
  if (as) headers["Authorization"] = as;
  if (body) headers["Content-Type"] = "application/json";
  // Whole: a browser refuses paths beside a password in the address of the page.
  const answer = await fetch(location.origin + path, {
    method, headers,
    body: body ? JSON.stringify(body) : method === "POST" ? "" : null,
    cache: "no-store",
    // Else the browser would ask with a window of its own when the password is wrong.
    credentials: as ? "omit" : "same-origin",
    redirect: "error",
    signal: AbortSignal.timeout(answerLimit),
  });
  let found = null;
  try {
    found = await answer[read]();
  } catch (broken) {
    if (broken.name !== "SyntaxError") throw broken;
  }
  return {status: answer.status, body: found};
}

// What an operation that was refused has to say.
function refusal(answer) {
  return answer.body && answer.body.error ? answer.body.error : "HTTP status " + answer.status;
}
