// Browsers start no worker for a page that was opened from disk. There the search runs in a hidden frame of the page instead,
// which gets the same messages. The name in `window` tells the search where it runs.
if (location.protocol === "file:") {
  const load = (frame, address) =>
    new Promise((done, failed) => {
      const script = frame.document.createElement("script");
      script.src = address;
      script.onload = done;
      script.onerror = failed;
      frame.document.head.append(script);
    });

  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      const element = document.createElement("iframe");
      element.hidden = true;
      element.srcdoc = "<!doctype html><title>Search</title>";
      this.frame = new Promise((ready, failed) => {
        element.onload = () => {
          const frame = element.contentWindow;
          frame.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
          frame.importScripts = (...addresses) =>
            addresses.reduce((before, next) => before.then(() => load(frame, next)), Promise.resolve());
          load(frame, address).then(() => ready(frame), failed);
        };
      });
      document.body.append(element);
    }

    postMessage(data) {
      this.frame.then((frame) => frame.dispatchEvent(new frame.MessageEvent("message", { data })));
    }
  };
}
